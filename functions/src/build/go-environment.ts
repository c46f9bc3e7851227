/** Nothing of the machine or of a repository decides how Go builds, and nothing but a module proxy is asked. */
export const GO_ENVIRONMENT = {
  GOENV: "off",
  GOFLAGS: "",
  GOWORK: "off",
  GOTOOLCHAIN: "local",
  GO111MODULE: "on",
  GOSUMDB: "off",
  GOVCS: "*:off",
  CGO_ENABLED: "0",
};
