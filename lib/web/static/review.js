// One key for each action of the review; they can be switched off, which this browser remembers, and rest while one
// types. And how many photos an action would be of.

const SWITCH = "review-keys";
const panel = document.querySelector("#shortcuts");
const box = document.querySelector("#shortcuts-on");

function remembered() {
  try {
    return localStorage.getItem(SWITCH);
  } catch {
    return null; // a browser that keeps nothing
  }
}

function remember(value) {
  try {
    localStorage.setItem(SWITCH, value);
  } catch {
    // It holds for this page.
  }
}

function apply() {
  document.body.classList.toggle("keyed", box.checked);
  for (const target of document.querySelectorAll("[data-key]")) {
    if (box.checked) target.setAttribute("aria-keyshortcuts", target.dataset.key);
    else target.removeAttribute("aria-keyshortcuts");
  }
}

// Where letters are typed or choose something by themselves.
function takesLetters(element) {
  return element.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
}

function pressed(event) {
  if (!box.checked || event.defaultPrevented || event.isComposing || event.repeat) return;
  if (event.ctrlKey || event.metaKey || event.altKey || takesLetters(event.target)) return;
  const letter = event.key.toLowerCase();
  if (letter === "r") {
    const field = document.querySelector("#label");
    if (!field) return;
    event.preventDefault(); // the field stays as it is
    field.focus();
    field.select();
    return;
  }
  const target = /^[a-z1-5]$/.test(letter) && document.querySelector(`[data-key="${letter}"]`);
  if (!target) return;
  event.preventDefault();
  target.click();
}

// How many photos get the name: the one that is asked about and all that are ticked.
const ticked = document.querySelector("[data-ticked]");

function tell() {
  const fields = [...document.querySelectorAll("[name=ids]")].filter((each) => each.type === "hidden" || each.checked);
  const count = fields.flatMap((each) => each.value.split(",")).length;
  ticked.textContent = count > 1 ? ticked.dataset.ticked.replace("{num}", count) : "";
}

if (ticked) {
  ticked.closest("form").addEventListener("change", tell);
  tell();
}

panel.hidden = false;
box.checked = remembered() !== "off";
box.addEventListener("change", () => {
  remember(box.checked ? "on" : "off");
  apply();
});
apply();
document.addEventListener("keydown", pressed);
