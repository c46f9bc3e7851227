import { http } from "@genserverless/shared/service/http.ts";

/** Asks once; what is not ready does not answer 200, and says why. */
export function askReady(url: string): Promise<"ready" | { answer: string }> {
  return new Promise((resolve) => {
    const request = http.get(url, { agent: false, timeout: 2_000 }, async (response) => {
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) text += chunk;
      resolve(response.statusCode === 200 ? "ready" : { answer: text });
    });
    request.once("timeout", () => request.destroy(new Error("no answer")));
    request.once("error", (error) => resolve({ answer: error.message }));
  });
}
