// The upload form with a script: photos are listed as they are picked, and sent one by one, whatever the network does.

import { element, fill, itemOf, refusal, show, showDay, showPicked, showSending, showServersPicture, showTaken } from "./receipt.js";
import { size, unsure, words } from "./receipt.js";
import { freshToken, judge, objection, pause, post } from "./sending.js";

const find = (id) => document.getElementById(id);
const form = find("upload");
const pickers = form.querySelectorAll("input[type=file]");
const section = find("progress");
const guest = "guest" in section.dataset;
let token = document.querySelector('meta[name="csrf-token"]').content;

// Each entry: { file, key, fields, state, errors, item, checked, result }, its state picked, waiting, sending,
// taken, refused or failed; `checked` resolves to why it need not be sent, if so.
const entries = [];
const before = new Map(); // what the days were like before this page sent anything
const touched = new Set();
let working = false;
let begun = false; // something was sent, or tried to be
let setbacks = 0; // in a row
let held = ""; // why sending pauses
let told = ""; // the last reason that was said
let hurry = () => {}; // ends the pause

const having = (...states) => entries.filter((each) => states.includes(each.state));

// Unique for each file of this page: the same key again never makes a second photo.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function chosenFields() {
  const fields = {};
  for (const name of ["session_id", "date"]) {
    const value = form.elements[name]?.value;
    if (value) fields[name] = value;
  }
  return fields;
}

function say(text) {
  find("said").textContent = text;
}

// Picking

function pick(files) {
  let said = "";
  for (const file of files) {
    if (entries.some((each) => isSame(each.file, file))) {
      said = fill(words.twice, { filename: file.name });
      continue;
    }
    const entry = { file, key: newKey(), fields: null, state: "picked", errors: 0, item: itemOf(file) };
    entries.push(entry);
    find("sent").append(entry.item);
    showPicked(entry, () => remove(entry));
    entry.checked = objection(file, words.most_bytes).then((why) => {
      if (why && entries.includes(entry)) settle(entry, "refused", words.before[why] ?? words[why]);
      return why;
    });
  }
  section.hidden = entries.length === 0;
  find("next").hidden = true;
  if (!held) trouble("");
  update();
  const count = having("picked").length;
  say(said || fill(count === 1 ? words.listed_one : words.listed, { count }));
}

function isSame(one, other) {
  return one.name === other.name && one.size === other.size && one.lastModified === other.lastModified;
}

function remove(entry) {
  const place = entries.indexOf(entry);
  entries.splice(place, 1);
  entry.item.remove();
  section.hidden = entries.length === 0;
  update();
  say(fill(words.removed, { filename: entry.file.name }));
  // The focus must not fall back to the top of the page.
  (entries[Math.min(place, entries.length - 1)]?.item.querySelector("button, a") ?? pickers[1]).focus();
}

// Sending

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const picked = having("picked");
  if (!picked.length) {
    trouble("choose", words.choose);
    return pickers[1].focus();
  }
  const fields = chosenFields();
  for (const entry of picked) queue(entry, fields);
  find("progress-heading").focus();
  await remember(picked, fields);
  work();
});

function queue(entry, fields = chosenFields()) {
  entry.fields ??= fields;
  entry.state = "waiting";
  entry.errors = 0;
  show(entry, "waiting", words.waiting);
}

async function work() {
  if (working) return;
  working = begun = true;
  find("next").hidden = true;
  const lock = await keepAwake();
  for (let entry; (entry = having("waiting")[0]); update()) {
    if (!(await entry.checked)) await attempt(entry);
  }
  lock?.release();
  working = false;
  end();
}

// A phone that falls asleep stops sending.
async function keepAwake() {
  try {
    return await navigator.wakeLock?.request("screen");
  } catch {
    return undefined;
  }
}

async function attempt(entry) {
  entry.state = "sending";
  const paint = showSending(entry);
  update();
  const answer = await post(entry, token, (share) => {
    if (share > 0) trouble("");
    paint(share);
  }).catch(() => null);
  if (answer?.status === 500) entry.errors += 1;
  const verdict = await judge(entry, answer);
  const why = words[verdict.why] ?? refusal(answer?.reply?.results?.[0]?.problem ?? answer?.reply);
  if (verdict.what === "again" || verdict.what === "renew") {
    entry.state = "waiting";
    show(entry, "waiting", words.waiting);
    setbacks += 1;
    if (verdict.what === "renew") return renew();
    return hold(verdict.trouble, words.troubles[verdict.trouble], pause(setbacks, answer?.retryAfter ?? 0));
  }
  setbacks = 0;
  told = "";
  trouble("");
  if (verdict.what === "taken") return taken(entry, answer.reply);
  const others = verdict.all ? having("waiting") : [];
  for (const each of [entry, ...others]) settle(each, verdict.what, why, verdict.choose);
  if (others.length || verdict.all) trouble(verdict.why ?? "failed", why);
}

function settle(entry, state, why, choose = false) {
  entry.state = state;
  if (choose) {
    // Another request from now on: the old key stands for the old session and day.
    entry.fields = null;
    entry.key = newKey();
  }
  const reason = element("p", why || words.failed);
  show(entry, state === "refused" ? "rejected" : "failed", words.status.rejected, reason);
  update();
}

function taken(entry, reply) {
  entry.state = "taken";
  entry.result = reply.results[0];
  showTaken(entry, entry.result, (button) => confirm(entry, button));
  showServersPicture(entry, entry.result.image);
  showDays(reply.metrics);
  const done = having("taken", "refused").length;
  if (done % 10 === 0) say(countedWords());
}

// Waits until the time is over, the person asks, or what was missing is back.
function hold(kind, text, time) {
  trouble(kind, text);
  held = kind;
  update();
  return new Promise((resolve) => {
    const timer = time === Infinity ? undefined : setTimeout(() => hurry(), time);
    hurry = () => {
      clearTimeout(timer);
      hurry = () => {};
      held = "";
      update();
      resolve();
    };
  });
}

async function renew() {
  for (;;) {
    let fresh;
    try {
      fresh = await freshToken();
    } catch {
      const kind = navigator.onLine ? "lost" : "offline";
      await hold(kind, words.troubles[kind], pause(setbacks, 0));
      setbacks += 1;
      continue;
    }
    if (fresh && (fresh !== token || setbacks < 2)) {
      token = fresh;
      return trouble("");
    }
    // With the right token it was refused all the same: somebody else must help, but not at once.
    if (fresh) return hold("busy", words.troubles.busy, pause(setbacks, 0));
    await hold("signed_out", words.signed_out, Infinity);
  }
}

addEventListener("online", () => {
  if (["offline", "lost", "waking", "portal"].includes(held)) hurry();
});
for (const name of ["visibilitychange", "focus"]) {
  const target = name === "focus" ? window : document;
  target.addEventListener(name, () => {
    if (held === "signed_out" && !document.hidden) hurry();
  });
}
find("now").addEventListener("click", () => hurry());
find("retry").addEventListener("click", () => {
  for (const entry of having("failed")) queue(entry);
  find("progress-heading").focus();
  trouble("");
  work();
});

// What became of it

function trouble(kind, text = "") {
  const place = find("trouble");
  place.hidden = !kind;
  place.textContent = text;
  if (kind && kind !== told) say(text);
  if (kind) told = kind;
}

function countedWords() {
  const all = entries.length - having("picked").length;
  return fill(words.counted, { done: having("taken", "refused").length, all });
}

function update() {
  const picked = having("picked");
  const failed = having("failed");
  const bytes = picked.reduce((sum, each) => sum + each.file.size, 0);
  const label = picked.length === 0 ? words.send : picked.length === 1 ? words.send_one : words.send_many;
  find("send").textContent = fill(label, { count: picked.length, size: size(bytes) });
  find("send").hidden = entries.length > 0 && picked.length === 0;
  find("retry").hidden = working || failed.length === 0;
  find("now").hidden = held === "";
  find("sign-in").hidden = held !== "signed_out";
  form.querySelector(".sendbar").classList.toggle("stuck", picked.length > 0 || failed.length > 0 || held !== "");
  find("counted").hidden = !begun;
  find("counted").textContent = countedWords();
  // Asks before the page is left while something would be lost; a photo of the camera may be nowhere else.
  window.onbeforeunload = having("picked", "waiting", "sending", "failed").length
    ? (event) => event.preventDefault()
    : null;
}

function end() {
  update();
  const results = having("taken").map((each) => each.result);
  const numbers = [
    results.filter((each) => each.status === "created").length,
    results.filter((each) => each.status === "duplicate").length,
    having("refused").length,
    having("failed").length,
  ];
  const summary = numbers.map((count, place) => (count ? fill(words.ended[place], { count }) : "")).filter(Boolean);
  find("counted").textContent = summary.join(" · ");
  say(summary.join(", "));
  find("next").hidden = results.length === 0;
  find("unsure").hidden = guest || !results.some(unsure);
}

find("more").addEventListener("click", (event) => {
  event.preventDefault();
  form.scrollIntoView();
  pickers[1].focus({ preventScroll: true });
});

function showDays(metrics) {
  for (const [day, row] of Object.entries(metrics)) {
    if (!row) continue;
    touched.add(`${row.session_id} ${day}`);
    showDay(find("days"), day, row, before.get(`${row.session_id} ${day}`));
  }
}

// Asks what the days of these photos are like until now. It is an extra: without an answer they are told without.
async function remember(picked, { session_id: session, date }) {
  if (guest || !session) return;
  const DAY = 86_400_000;
  const times = [...picked.map((each) => each.file.lastModified), Date.now(), date ? Date.parse(date) : Date.now()];
  const iso = (time) => new Date(time).toISOString().slice(0, 10);
  const metrics = ["total_images", "species_richness", "shannon_diversity"];
  const asked = new URLSearchParams({
    session,
    start_date: iso(Math.min(...times) - DAY),
    end_date: iso(Math.max(...times) + DAY),
    metrics: metrics.join(","),
  });
  try {
    const reply = await fetch(`/api/time-series?${asked}`, { signal: AbortSignal.timeout(3000) });
    const series = await reply.json();
    series.dates.forEach((day, place) => {
      const key = `${session} ${day}`;
      if (before.has(key) || touched.has(key)) return;
      before.set(key, Object.fromEntries(metrics.map((metric) => [metric, series.metrics[metric][place]])));
    });
  } catch {
    // The photos matter more.
  }
}

async function confirm(entry, button) {
  button.disabled = true;
  try {
    const ask = () =>
      fetch(`/api/images/${entry.result.image.id}`, {
        method: "PATCH",
        headers: { "Content-Type": "application/json", "X-CSRF-Token": token },
        body: JSON.stringify({ confirm: true }),
      });
    let reply = await ask();
    if (reply.status === 403) {
      token = (await freshToken()) || token;
      reply = await ask();
    }
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    const { image, metrics } = await reply.json();
    entry.result = { ...entry.result, image };
    showTaken(entry, entry.result);
    showDays(metrics);
    entry.item.querySelector(".steps a").focus();
    say(fill(words.confirmed, { filename: entry.file.name }));
  } catch {
    button.disabled = false;
    button.parentElement.append(element("span", ` ${words.not_confirmed}`));
    say(words.not_confirmed);
  }
}

// Ways in

function take(input) {
  pick(input.files);
  input.value = "";
}

for (const input of pickers) {
  input.addEventListener("change", () => take(input));
  if (input.files.length) take(input); // chosen before this script was there
}

const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
const dropping = (is) => document.body.classList.toggle("dropping", is);
for (const name of ["dragenter", "dragover"]) {
  addEventListener(name, (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    dropping(true);
  });
}
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) dropping(false); // out of the window
});
addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  dropping(false);
  pick(event.dataTransfer.files);
});

form.classList.add("scripted");
form.querySelector(".droppable").hidden = !matchMedia("(any-pointer: fine)").matches;
update();
