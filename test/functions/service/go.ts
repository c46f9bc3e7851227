/** Go functions: built offline with what is in the repository, run as Node's are, and contained without Node's help. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isAlive } from "../../../local/src/os-process.ts";
import { assertNoChildLeft } from "../../tools/child.ts";
import { until } from "../../tools/until.ts";
import { type Deployed, FunctionsService } from "../functions-service.ts";
import { type Files, httpProject } from "../git-repository.ts";
import { listDescendants } from "../os-processes.ts";

const skip = hasGo() ? false : "there is no Go toolchain on this machine";
const service = new FunctionsService();
before(() => service.start());
after(async () => {
  await service.stop();
  assertNoChildLeft();
});

function hasGo(): boolean {
  try {
    execFileSync("go", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const SEED = `runtime: go
functions:
- name: API
  type: http
- name: Ticker
  type: cron
  schedule: "*/1 * * * *"
  meta:
    path: "/usr/bin"
    name: dev
`;

/** As the seed's second example has it: a package that is no program, and no go.mod. */
const FUNCTIONS = `// Package functions is the example.
package functions

import (
	"fmt"
	"net/http"
)

func API(w http.ResponseWriter, r *http.Request) {
	fmt.Println("Client ip address is " + r.RemoteAddr)
	fmt.Fprint(w, "Hello, World!")
}

func Ticker(envs interface{}) {
	fmt.Println(envs)
}
`;

test("the seed's example in Go is built, answers, and gets its meta", { skip }, async () => {
  const seed = await service.deploy({ ".eserveless.yaml": SEED.replace("go", "golang"), "functions.go": FUNCTIONS });
  const answer = await service.run(seed, "API", { headers: { "x-forwarded-for": "192.0.2.7, 10.0.0.1" } });
  assert.deepEqual([answer.status, answer.body], [200, "Hello, World!"]);
  assert.equal(answer.headers["content-type"], "text/plain; charset=utf-8");
  assert.equal(answer.headers["x-function-cold-start"], "1");
  await service.untilLogged(seed.project, "API", /^Client ip address is 192\.0\.2\.7:0$/);
  assert.equal((await service.run(seed, "API")).headers["x-function-cold-start"], "0");
  assert.equal((await service.runOnce(seed, "Ticker")).status, "completed");
  await service.untilLogged(seed.project, "Ticker", /^map\[ESERVELESS_NAME:dev ESERVELESS_PATH:\/usr\/bin\]$/);
});

const PROJECT: Files = {
  ".eserveless.yaml": `runtime: go
functions:
- { name: mirror, type: http, env: { GREETING: "hello = \\"you\\"" } }
- { name: echo, type: http }
- { name: panics, type: http }
- { name: prowls, type: http, timeout: 20s }
- { name: forks, type: http, timeout: 20s, memory: 64 }
- { name: Listener, type: event, topic: orders }
- { name: fails, type: cron, schedule: "@hourly" }
`,
  "go.mod": `module example.com/shop\n\ngo 1.18\n\nrequire example.com/greeting v1.0.0\n`,
  "vendor/modules.txt": "# example.com/greeting v1.0.0\n## explicit; go 1.18\nexample.com/greeting\n",
  "vendor/example.com/greeting/greeting.go": `package greeting\n\nfunc Text() string { return "vendored" }\n`,
  "inner/inner.go": `package inner\n\nconst Word = "inner"\n`,
  "data.txt": "data",
  "main.go": `/* package of a comment */ package main // of this program

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"example.com/greeting"
	"example.com/shop/inner"
)

var early = os.Getenv("GREETING")

func mirror(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	data, _ := os.ReadFile("data.txt")
	w.Header().Add("Set-Cookie", "a=1")
	w.Header().Add("Set-Cookie", "b=2")
	w.WriteHeader(418)
	json.NewEncoder(w).Encode([]string{r.Method, r.RequestURI, r.Host, r.Header.Get("X-Own"), string(body), early, string(data), greeting.Text(), inner.Word})
}

func echo(w http.ResponseWriter, r *http.Request) {
	buffer := make([]byte, 64*1024)
	for {
		n, err := r.Body.Read(buffer)
		w.Write(buffer[:n])
		w.(http.Flusher).Flush()
		if err != nil {
			return
		}
	}
}

func panics(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/half" {
		w.Write([]byte("half"))
		w.(http.Flusher).Flush()
	}
	if r.URL.Path == "/exit" {
		os.Exit(7)
	}
	if r.URL.Path == "/elsewhere" {
		go func() { panic("elsewhere") }()
		select {}
	}
	panic(errors.New("at once"))
}

func prowls(w http.ResponseWriter, r *http.Request) {
	said := []string{}
	tell := func(what string, err error) { said = append(said, fmt.Sprintf("%s: %v", what, err == nil)) }
	for _, path := range strings.Split(r.Header.Get("X-Paths"), ",") {
		_, err := os.ReadFile(path)
		tell("read "+path, err)
	}
	for _, path := range []string{"/code/new", "/runtime/new", "/usr/new", "/new", "/dev/new"} {
		tell("write "+path, os.WriteFile(path, nil, 0o600))
	}
	tell("mount", syscall.Mount("none", "/tmp", "tmpfs", 0, ""))
	tell("chroot", syscall.Chroot("/tmp"))
	tell("setuid", syscall.Setuid(0))
	tell("user namespace", (&exec.Cmd{Path: "/usr/bin/true", SysProcAttr: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}}).Run())
	tell("kill", syscall.Kill(2, 0))
	environ, _ := os.ReadFile("/proc/1/environ")
	if strings.Contains(string(environ)+strings.Join(os.Environ(), " "), "TOKEN") {
		said = append(said, "token: true")
	}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		if strings.Trim(entry.Name(), "0123456789") == "" && entry.Name() != "1" {
			said = append(said, "process "+entry.Name()+": true")
		}
	}
	tell("own", os.WriteFile("/tmp/own", nil, 0o600))
	json.NewEncoder(w).Encode(said)
}

// forks starts itself again and again, and each of them takes memory that it may.
func forks(w http.ResponseWriter, r *http.Request) {
	if os.Getenv("CHILD") != "" {
		return
	}
	started := 0
	for i := 0; i < 1000; i++ {
		command := exec.Command("/bin/sh", "-c", "x=$(head -c 20000000 /dev/zero | tr '\\\\0' x); setsid sleep 1000")
		if command.Start() != nil {
			time.Sleep(10 * time.Millisecond)
		} else if started++; started == 6 {
			fmt.Println("six have started")
		}
	}
	select {}
}

func Listener(event interface{}, envs interface{}) {
	fmt.Println("got", event.(map[string]interface{})["n"], envs)
}

func fails(envs interface{}) error { return errors.New("not today") }
`,
};
let project: Deployed;

test("a package main with a go.mod, a package of its own and a vendored one is built offline", { skip }, async () => {
  project = await service.deploy(PROJECT);
  const { status, body, headers } = await service.run(project, "mirror", {
    method: "PATCH",
    path: "/a%2Fb//c?x=1",
    headers: { "x-own": "yes", host: "shop.example" },
    body: "Grüße",
  });
  assert.equal(status, 418);
  assert.deepEqual(headers["set-cookie"], ["a=1", "b=2"]);
  const told = ["PATCH", "/a%2Fb//c?x=1", "shop.example", "yes", "Grüße", 'hello = "you"', "data", "vendored", "inner"];
  assert.deepEqual(JSON.parse(body), told);
  for (const method of ["HEAD", "DELETE"]) {
    assert.equal((await service.run(project, "mirror", { method })).headers["x-function-cold-start"], "0");
  }
});

test("bodies stream both ways, and one that is not read costs nothing", { skip }, async () => {
  await service.checkStreams(project, "echo");
  const large = Buffer.alloc(5_000_000, "x");
  assert.equal((await service.run(project, "echo", { method: "PUT", body: large })).body.length, large.length);
  const unread = await service.run(project, "panics", { method: "POST", body: large });
  assert.equal(JSON.parse(unread.body).code, "function_threw");
  assert.equal((await service.run(project, "panics")).headers["x-function-problem"], "function_threw");
});

test("a panic is the function's own error; elsewhere, or after half an answer, it ends the sandbox", {
  skip,
}, async () => {
  const codeOf = async (path: string) => {
    const { status, body } = await service.run(project, "panics", { path });
    return [status, JSON.parse(body).code];
  };
  assert.deepEqual(await codeOf("/"), [500, "function_threw"]);
  await service.untilLogged(project.project, "panics", /^panic: at once$/);
  assert.deepEqual(await codeOf("/exit"), [502, "function_died"]);
  assert.deepEqual(await codeOf("/elsewhere"), [502, "function_died"]);
  await assert.rejects(service.run(project, "panics", { path: "/half" }));
  assert.deepEqual(await codeOf("/"), [500, "function_threw"]);
});

test("an event function gets its event, and an error that is given back is a failure", { skip }, async () => {
  assert.equal((await service.runOnce(project, "Listener", { n: 3 })).status, "completed");
  await service.untilLogged(project.project, "Listener", /^got 3 map\[\]$/);
  const wrong = await service.runOnce(project, "Listener", "no map");
  assert.equal(wrong.status, "failed");
  assert.match(wrong.error ?? "", /^panic: interface conversion/);
  assert.partialDeepStrictEqual(await service.runOnce(project, "fails"), { status: "failed", error: "not today" });
});

test("one that prowls finds nothing but its own files and processes", { skip }, async () => {
  const other = await service.deploy(httpProject({ secret: "(req, res) => res.end('secret')" }));
  await service.run(other, "secret");
  const tree = join(service.dataDir, "projects", other.project, "builds", other.commit, "tree");
  const { pid } = service.child;
  const paths = [join(tree, "functions.js"), join(service.dataDir, "projects", other.project, "project.json")];
  const more = [
    `/proc/${pid}/environ`,
    `/proc/${pid}/root/etc/passwd`,
    "/etc/shadow",
    "/../../etc/shadow",
    "/root/.profile",
  ];
  const headers = { "x-paths": [...paths, ...more].join(",") };
  const { body } = await service.run(project, "prowls", { headers });
  const found = (JSON.parse(body) as string[]).filter((line) => line.endsWith("true"));
  assert.deepEqual(found, ["own: true"]);
});

test("one that starts processes that fill memory is ended with all of them; the neighbour hears nothing", {
  skip,
}, async () => {
  const neighbour = await service.deploy(httpProject({ hello: "(req, res) => res.end('hello')" }));
  await service.run(neighbour, "hello");
  const before = listDescendants(service.child.pid);
  const answering = service.run(project, "forks");
  await service.untilLogged(project.project, "forks", /^six have started$/);
  assert.equal((await service.run(neighbour, "hello")).headers["x-function-cold-start"], "0");
  const { status, body } = await answering;
  assert.deepEqual([status, JSON.parse(body).reason], [502, "memory"]);
  const isLeft = () =>
    listDescendants(service.child.pid)
      .filter((one) => !before.includes(one))
      .some(isAlive);
  await until(() => !isLeft(), { withinMs: 5_000, what: "all of its processes have ended" });
  assert.equal((await service.run(neighbour, "hello")).headers["x-function-cold-start"], "0");
});

test("what cannot be built is refused with what is wrong with it", { skip }, async () => {
  const manifest = SEED.replaceAll("Ticker", "Missing");
  const goMod = "module a.example/b\n\ngo 1.18\n\nrequire a.example/c v1.0.0\n";
  const named: [string, Files, RegExp][] = [
    ["no_entry", { ".eserveless.yaml": SEED, "lib/a.go": "package lib\n" }, /no \.go file/],
    ["package_broken", { ".eserveless.yaml": SEED, "a.go": "// nothing\n" }, /a\.go: it has no package clause/],
    ["compile_failed", { ".eserveless.yaml": SEED, "a.go": "package a\nfunc {" }, /a\.go:2:6/],
    ["compile_failed", { ".eserveless.yaml": SEED, "a.go": `${FUNCTIONS}\nfunc main() {}` }, /has a func main/],
    ["not_exported", { ".eserveless.yaml": manifest, "a.go": FUNCTIONS }, /Missing: no such function/],
    ["not_exported", { ".eserveless.yaml": SEED.replace("API", "a-b"), "a.go": FUNCTIONS }, /a-b: no function can/],
    [
      "not_exported",
      {
        ".eserveless.yaml": SEED.replace("API", "Ticker2").replace("Ticker\n", "API\n"),
        "a.go": FUNCTIONS.replace("Ticker", "Ticker2"),
      },
      /Ticker2 must be func\(w http/,
    ],
    ["lock_file_missing", { ".eserveless.yaml": SEED, "a.go": FUNCTIONS, "go.mod": goMod }, /go\.sum/],
    [
      "dependencies_failed",
      { ".eserveless.yaml": SEED, "a.go": FUNCTIONS.replace('"fmt"', '"fmt"\n_ "a.example/c"') },
      /a\.example\/c/,
    ],
    ["not_loaded", { ".eserveless.yaml": SEED, "a.go": `${FUNCTIONS}\nfunc init() { panic("early") }` }, /early/],
  ];
  for (const [code, files, words] of named) {
    const refusal = await service.refusal(files);
    assert.deepEqual([refusal.code, words.test(refusal.detail)], [code, true], JSON.stringify(refusal));
  }
});

test("Go is refused clearly where there is no toolchain, and where there are no namespaces", async () => {
  const files = { ".eserveless.yaml": SEED, "functions.go": FUNCTIONS };
  const settings = { no_toolchain: { FUNCTIONS_GO: "off" }, not_isolated: { FUNCTIONS_NAMESPACES: "off" } };
  for (const [code, env] of Object.entries(settings)) {
    const without = new FunctionsService(env);
    await without.start();
    try {
      const refusal = await without.refusal(files);
      assert.equal(refusal.code, code);
      assert.match(refusal.detail, /runtime must be node$/);
    } finally {
      await without.stop();
    }
  }
});
