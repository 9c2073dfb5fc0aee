// One photo's way to the server: sent with progress, its answer judged, and what to do when there is none.

const STALLED = 60_000; // ms without a byte going out
const UNANSWERED = 180_000; // ms from the last byte to the answer; the server gives up earlier
const LONGEST_PAUSE = 60; // seconds
const LONGEST_ASKED = 900; // seconds: a server that asks for more is left to the person
const TRIES = 3; // of a photo on which the server fails

// Resolves to { status, reply, retryAfter }; rejects when the connection fails or stalls.
export function post(entry, token, onprogress) {
  const body = new FormData();
  body.append("files", entry.file, entry.file.name);
  for (const [name, value] of Object.entries(entry.fields)) body.append(name, value);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch cannot tell how much of a body is sent
    let watch;
    const within = (time) => {
      clearTimeout(watch);
      watch = setTimeout(() => request.abort(), time);
    };
    request.open("POST", "/api/upload");
    request.setRequestHeader("X-CSRF-Token", token);
    request.setRequestHeader("Idempotency-Key", entry.key);
    request.setRequestHeader("Accept-Language", document.documentElement.lang); // of the names of plants
    request.responseType = "json";
    request.upload.onprogress = (event) => {
      within(STALLED);
      if (event.lengthComputable) onprogress(event.loaded / event.total);
    };
    request.upload.onload = () => {
      within(UNANSWERED);
      onprogress(1);
    };
    request.onloadend = () => clearTimeout(watch);
    request.onload = () =>
      resolve({
        status: request.status,
        reply: request.response,
        retryAfter: seconds(request.getResponseHeader("Retry-After")),
      });
    request.onerror = request.onabort = () => reject(new Error("no answer"));
    within(STALLED);
    request.send(body);
  });
}

// Retry-After is a number of seconds or a date; 0 where it says neither.
function seconds(header) {
  if (!header) return 0;
  const number = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(number) ? Math.max(0, Math.ceil(number)) : 0;
}

export function kindOf(problem) {
  return String(problem?.type ?? "").split("#")[1] ?? "";
}

// What an answer (null: there was none) means for its photo:
//   taken; refused; again: later, by itself, `trouble` says why; renew: the form is too old, or nobody is signed in;
//   failed: only when the person asks, `all`: as would the others, `choose`: with another session or day.
export async function judge(entry, answer) {
  if (answer === null) {
    if (!(await readable(entry.file))) return { what: "refused", why: "gone" };
    return { what: "again", trouble: navigator.onLine ? "lost" : "offline" };
  }
  const { status, reply, retryAfter } = answer;
  const kind = kindOf(reply);
  if (status >= 200 && status < 400) {
    if (reply?.results?.[0]) return { what: "taken" };
    return { what: "again", trouble: "portal" };
  }
  if (status === 401 || kind === "stale-form") return { what: "renew" };
  if (kind === "forbidden") return { what: "failed", why: "read_only", all: true };
  if (kind === "foreign-origin" || status === 507) return { what: "failed", all: true };
  if (kind === "not-found") return { what: "failed", why: "session_gone", all: true, choose: true };
  if (kind === "malformed-request" || kind === "invalid-request") {
    return { what: "failed", why: "day_wrong", all: true, choose: true };
  }
  if (status === 429 || status === 409 || status === 408 || status >= 500) {
    const hopeless = retryAfter > LONGEST_ASKED || (status === 500 && entry.errors >= TRIES);
    return hopeless ? { what: "failed" } : { what: "again", trouble: troubleOf(status, kind) };
  }
  // What is no problem document does not come from this server's program.
  return kind ? { what: "refused" } : { what: "again", trouble: "portal" };
}

function troubleOf(status, kind) {
  if (kind === "storage-unavailable") return "storage";
  if (status === 500) return "error";
  // A proxy in front of a server that starts answers in its place.
  return status > 500 && (!kind || kind === "unavailable") ? "waking" : "busy";
}

async function readable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

// Milliseconds before the next try: twice as long each time, never less than the server asks for.
export function pause(tries, retryAfter) {
  return 1000 * Math.max(Math.min(2 ** tries, LONGEST_PAUSE), retryAfter);
}

// The token of this browser now: a string, "" when nobody who may send is signed in; rejects without a connection.
export async function freshToken() {
  const reply = await fetch("/upload", { headers: { Accept: "text/html" }, cache: "no-store" });
  if (!reply.ok) throw new Error(`status ${reply.status}`);
  const page = new DOMParser().parseFromString(await reply.text(), "text/html");
  return page.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

// Why a file would not be taken, as far as can be told without sending it; "" when nothing speaks against it.
export async function objection(file, mostBytes) {
  if (file.size > mostBytes) return "photo-too-large";
  let head;
  try {
    head = new Uint8Array(await file.slice(0, 12).arrayBuffer());
  } catch {
    return "gone";
  }
  if (file.size === 0) return "photo-empty";
  const text = String.fromCharCode(...head);
  const photo =
    text.startsWith("\xff\xd8\xff") ||
    text.startsWith("\x89PNG") ||
    (text.startsWith("RIFF") && text.endsWith("WEBP")) ||
    text.startsWith("ftyp", 4); // HEIC and its relatives: the server knows which
  return photo ? "" : "photo-unsupported";
}
