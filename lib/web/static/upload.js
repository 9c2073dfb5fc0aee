// Sends photos one by one, with progress and a second try; without it the form sends them all at once.

const form = document.getElementById("upload");
const input = document.getElementById("files");
const drop = form.querySelector(".drop");
const section = document.getElementById("progress");
const list = document.getElementById("sent");
const counted = document.getElementById("counted");
const retry = document.getElementById("retry");
const days = document.getElementById("days");
const words = JSON.parse(section.dataset.words);
const token = document.querySelector('meta[name="csrf-token"]').content;

// Each entry: { file, key, fields, state: waiting | sending | done | refused | failed, item }
const entries = [];
let sending = false;

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// Unique for each file of this page: the same key again never makes a second photo.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function add(files) {
  const fields = {};
  for (const name of ["session_id", "date"]) {
    const value = form.elements[name]?.value;
    if (value) fields[name] = value;
  }
  for (const file of files) {
    const item = element("li");
    item.append(element("p", file.name, "filename"), element("p", words.waiting));
    list.append(item);
    entries.push({ file, key: newKey(), fields, state: "waiting", item });
  }
  section.hidden = false;
  work();
}

async function work() {
  if (sending) return;
  sending = true;
  retry.hidden = true;
  for (let entry; (entry = entries.find((each) => each.state === "waiting")); ) {
    entry.state = "sending";
    try {
      settle(entry, await send(entry));
    } catch {
      fail(entry);
    }
    count();
  }
  sending = false;
  retry.hidden = !entries.some((each) => each.state === "failed");
}

function count() {
  const done = entries.filter((each) => each.state === "done" || each.state === "refused").length;
  counted.textContent = fill(words.counted, { done, all: entries.length });
}

function send(entry) {
  const bar = element("progress");
  bar.max = 100;
  bar.value = 0;
  bar.setAttribute("aria-label", fill(words.progress, { filename: entry.file.name }));
  const line = element("p", fill(words.sending, { percent: 0 }));
  entry.item.className = "";
  entry.item.replaceChildren(element("p", entry.file.name, "filename"), bar, line);
  const body = new FormData();
  body.append("files", entry.file, entry.file.name);
  for (const [name, value] of Object.entries(entry.fields)) body.append(name, value);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch cannot tell how much of a body is sent
    request.open("POST", "/api/upload");
    request.setRequestHeader("X-CSRF-Token", token);
    request.setRequestHeader("Idempotency-Key", entry.key);
    request.setRequestHeader("Accept-Language", document.documentElement.lang); // of the names of plants
    request.responseType = "json";
    request.upload.onprogress = (event) => {
      if (!event.lengthComputable) return;
      const percent = Math.round((100 * event.loaded) / event.total);
      bar.value = percent;
      line.textContent = fill(words.sending, { percent });
    };
    request.upload.onload = () => {
      bar.removeAttribute("value");
      line.textContent = words.naming;
    };
    request.onload = () => resolve({ status: request.status, reply: request.response });
    request.onerror = request.onabort = request.ontimeout = reject;
    request.send(body);
  });
}

function settle(entry, { status, reply }) {
  const passing = status === 429 || status === 409 || (status >= 500 && status !== 507);
  if (!reply || passing) return fail(entry);
  const result = reply.results?.[0];
  if (status < 300 && result) {
    entry.state = "done";
    taken(entry, result);
    for (const [day, row] of Object.entries(reply.metrics)) showDay(day, reply.session_id, row);
  } else {
    entry.state = "refused";
    const problem = result?.problem ?? reply;
    show(entry, "rejected", words.status.rejected, [element("p", refusal(problem))]);
  }
}

function refusal(problem) {
  const kind = String(problem.type ?? "").split("#")[1];
  const told = words.refusals[kind];
  if (!told) return problem.detail ?? problem.title ?? "";
  return [told, words.refusals[problem.cause]].filter(Boolean).join(" ");
}

function fail(entry) {
  entry.state = "failed";
  show(entry, "failed", "", [element("p", words.failed)]);
}

function show(entry, className, status, parts) {
  const head = element("p", entry.file.name, "filename");
  if (status) head.append(" · ", element("strong", status));
  entry.item.className = className;
  entry.item.replaceChildren(head, ...parts);
}

function taken(entry, result) {
  const image = result.image;
  if (!image) {
    // A guest is not shown a photo that the owner had already.
    const reasons = result.problem ? [element("p", refusal(result.problem))] : [];
    return show(entry, result.status, words.status[result.status], reasons);
  }
  const level = image.label_level;
  const scientific = level === "species" || level === "genus" || level === "family";
  const parts = [];
  const species = element("p", undefined, "species");
  if (scientific) {
    const latin = element("i", image.label);
    latin.lang = "la";
    species.append(latin);
    if (result.common_name) species.append(" ", element("span", result.common_name, "common"));
  } else {
    species.textContent = image.label === null ? words.unlabelled : (words.labels[image.label] ?? image.label);
  }
  parts.push(species);
  const best = image.predictions[0];
  if (image.label_source === "human") {
    parts.push(element("p", words.human));
  } else if (best) {
    const sure = level === "species" && best.confidence >= 0.9 ? words.very_sure : words.levels[level];
    const told = [sure];
    if (level !== "species") told.push(fill(words.closest, { species: best.species }));
    told.push(`${Math.min(99, Math.max(1, Math.round(best.confidence * 100)))}%`);
    parts.push(element("p", told.filter(Boolean).join(" · ")));
  }
  if (image.quality.low_resolution) parts.push(element("p", words.low_resolution, "small"));
  if (image.masked && image.label_source !== "human") parts.push(element("p", words.from_a_list, "small"));
  if (image.date_source === "today") parts.push(element("p", words.day_guessed, "small"));
  if (result.problem) parts.push(element("p", refusal(result.problem)));
  show(entry, result.status, words.status[result.status], parts);
}

// One line a day, renewed as photos of it come in: what the day has become, and the way to it.
function showDay(day, session, row) {
  const id = `day-${session}-${day}`;
  let line = document.getElementById(id);
  if (!line) {
    line = element("li");
    line.id = id;
    days.append(line);
  }
  const name = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeZone: "UTC" });
  const link = element("a", fill(words.day, { day: name.format(new Date(`${day}T00:00:00Z`)) }));
  link.href = `/calendar?day=${encodeURIComponent(day)}#day`;
  const figures = [`${words.metrics.species_richness} ${row.species_richness}`];
  if (row.effort === "ok" && row.shannon_diversity !== null) {
    figures.push(`${words.metrics.shannon_diversity} ${row.shannon_diversity.toFixed(2)}`);
  } else if (row.effort === "low") {
    figures.push(words.too_few);
  }
  line.replaceChildren(link, ` · ${figures.join(" · ")}`);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  add(input.files);
  input.value = "";
});

retry.addEventListener("click", () => {
  for (const entry of entries) if (entry.state === "failed") entry.state = "waiting";
  work();
});

for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) {
  drop.addEventListener(name, () => drop.classList.remove("over"));
}
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  add(event.dataTransfer.files);
});
