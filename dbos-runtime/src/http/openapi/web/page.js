"use strict";

// The page of the routes: reads the OpenAPI document, shows each operation, and sends what is typed in.

const METHODS = ["get", "post", "put", "patch", "delete"];
const root = new URL(document.body.dataset.root, location.href);
const byId = (id) => document.getElementById(id);

// An element with attributes and content; text is text, whatever it holds.
function make(name, attributes, ...content) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...content);
  return element;
}

async function show() {
  const answer = await fetch(new URL(document.body.dataset.document, root));
  if (!answer.ok) throw new Error(`the document is answered with ${answer.status}`);
  const api = await answer.json();
  document.title = byId("title").textContent = api.info.title;
  byId("version").textContent = api.info.version;
  const sections = Object.entries(Object.groupBy(operations(api), ({ operation }) => operation.tags?.[0] ?? "routes"));
  byId("routes").append(...sections.map(([tag, told]) => section(api, tag, told)));
  byId("state").textContent = `${operations(api).length} operations`;
}

function operations(api) {
  return Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method, operation: item[method] })));
}

function section(api, tag, told) {
  const heading = make("h2", { id: `tag-${tag}` }, tag);
  return make("section", { "aria-labelledby": heading.id }, heading, ...told.map((one) => entry(api, one)));
}

function entry(api, { path, method, operation }) {
  const id = operation.operationId;
  const summary = make("summary", { id: `open-${id}` }, make("span", { class: "method" }, method.toUpperCase()), " ",
    make("span", { class: "path" }, path), " ", make("span", { class: "words" }, operation.summary ?? ""));
  const description = make("p", { class: "description" }, operation.description ?? "");
  const inside = make("div", {}, description, form(api, path, method, operation), make("h3", {}, "Answers"), answers(api, operation));
  return make("details", { id: `operation-${id}` }, summary, inside);
}

function form(api, path, method, operation) {
  const id = operation.operationId;
  const parameters = operation.parameters ?? [];
  const inputs = parameters.map((parameter) => field(id, parameter));
  const body = operation.requestBody && bodyField(api, id, operation.requestBody);
  const send = make("button", { id: `send-${id}` }, "Send");
  const answer = make("pre", { id: `answer-${id}`, role: "status", "aria-label": `Answer of ${id}` });
  const shown = make("form", { "aria-label": `Try ${id}` }, ...inputs.map(({ whole }) => whole), ...(body ? [body.whole] : []), send, answer);
  shown.addEventListener("submit", async (event) => {
    event.preventDefault();
    answer.dataset.status = "";
    answer.textContent = "Waiting for the answer…";
    const values = parameters.map((parameter, index) => [parameter, inputs[index].input.value]);
    const none = (error) => ({ status: "none", text: `There is no answer: ${error.message}` });
    const { status, text } = await ask(path, method, values, body).catch(none);
    answer.textContent = text;
    answer.dataset.status = status;
  });
  return shown;
}

function field(id, { name, in: place, required, schema, description }) {
  const input = make("input", { id: `${id}-${place}-${name}`, spellcheck: "false", autocomplete: "off" });
  input.required = required;
  input.value = schema?.default ?? "";
  const note = [place, typeOf(schema), required ? "required" : "optional", description].filter(Boolean).join(", ");
  return { input, whole: make("div", {}, make("label", { for: input.id }, `${name} `, make("small", {}, note)), input) };
}

function bodyField(api, id, { content }) {
  const kind = content["application/json"] ? "application/json" : Object.keys(content)[0];
  const input = make("textarea", { id: `${id}-body`, spellcheck: "false" });
  if (kind === "application/json") input.value = JSON.stringify(example(api, content[kind].schema ?? {}, 0), null, 2);
  return { kind, input, whole: make("div", {}, make("label", { for: input.id }, "body ", make("small", {}, kind)), input) };
}

// Sends the request; gives the status of the answer, and all of it as text.
async function ask(path, method, values, body) {
  const headers = new Headers();
  const query = new URLSearchParams();
  let target = path;
  for (const [{ name, in: place, required }, value] of values) {
    if (value === "" && !required) continue;
    if (place === "path") target = target.replace(`{${name}}`, encodeURIComponent(value));
    else if (place === "query") query.append(name, value);
    else headers.set(name, value);
  }
  const token = byId("token").value;
  if (token) headers.set("authorization", `Bearer ${token}`);
  if (body) headers.set("content-type", body.kind);
  const address = new URL(target.slice(1) || ".", root);
  address.search = query;
  const answer = await fetch(address, { method: method.toUpperCase(), headers, body: body?.input.value, redirect: "manual" });
  if (answer.type === "opaqueredirect") return { status: "redirect", text: "The answer is a redirect." };
  const lines = [...answer.headers].map((header) => header.join(": "));
  const text = [`${answer.status} ${answer.statusText}`, ...lines, "", pretty(await answer.text())].join("\n");
  return { status: answer.status, text };
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function answers(api, operation) {
  const told = Object.entries(operation.responses).flatMap(([status, response]) => {
    const { description, content = {} } = resolved(api, response);
    const schema = content["application/json"]?.schema;
    const shape = schema && status.startsWith("2") ? make("pre", {}, JSON.stringify(example(api, schema, 0), null, 2)) : "";
    return [make("dt", {}, status), make("dd", {}, description, shape)];
  });
  return make("dl", {}, ...told);
}

function resolved(api, value) {
  return value?.$ref ? value.$ref.slice(2).split("/").reduce((part, key) => part?.[key], api) ?? {} : value ?? {};
}

function typeOf(schema) {
  return [schema?.type].flat().filter(Boolean).join(" or ");
}

// A value of the schema, to start from.
function example(api, named, depth) {
  const schema = resolved(api, named);
  if (depth > 6) return null;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.const !== undefined) return schema.const;
  const choice = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choice) return example(api, choice[0], depth + 1);
  const type = [schema.type].flat()[0];
  if (type === "object") {
    return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, part]) => [name, example(api, part, depth + 1)]));
  }
  if (type === "array") return schema.items ? [example(api, schema.items, depth + 1)] : [];
  return { string: "", integer: schema.minimum > 0 ? schema.minimum : 0, number: 0, boolean: false }[type] ?? null;
}

show().catch((error) => {
  byId("state").textContent = `The routes cannot be shown: ${error.message}`;
});
