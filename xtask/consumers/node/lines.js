// Asks the module that is named for each line of the input, and answers with a line.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { check } = await import(pathToFileURL(process.argv[2]));
console.log("ready");
for await (const token of createInterface({ input: process.stdin })) {
  try {
    console.log(`in ${JSON.stringify(await check(token))}`);
  } catch (error) {
    console.log(`out ${String(error).replaceAll("\n", " ")}`);
  }
}
