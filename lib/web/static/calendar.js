// The year by the arrow keys: one stop for Tab, and every day a step, those without a survey too. Without this script
// each surveyed day is a link of its own.

const table = document.querySelector("table.year");
const help = document.getElementById("keys");
const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };

// The link of a surveyed day, the cell of another; those of the year in their order, and where each month begins.
const daysOf = (rows) =>
  [...rows.querySelectorAll("td")].filter((cell) => cell.textContent).map((cell) => cell.querySelector("a") ?? cell);
const days = daysOf(table);
const months = [];
for (const body of table.tBodies) months.push(days.indexOf(daysOf(body)[0]));
let stop = null; // the one day that Tab comes to

// Months without a survey are not shown on a narrow screen.
const isShown = (day) => day.offsetParent !== null;

function stopAt(day) {
  if (!day || day === stop) return;
  stop?.setAttribute("tabindex", "-1");
  day.setAttribute("tabindex", "0");
  stop = day;
}

function settle() {
  if (stop && isShown(stop)) return;
  const shown = days.filter(isShown);
  const surveyed = shown.filter((day) => day.matches("a"));
  stopAt(shown.find((day) => day.hasAttribute("aria-current")) ?? surveyed.at(-1) ?? shown[0]);
}

// The day of this number, from 0, in a month from 0; the last one where the month is shorter.
function inMonth(month, number) {
  return Math.min(months[month] + number, (months[month + 1] ?? days.length) - 1);
}

// Where a key leads from the day at `place`. `far`: to the ends of the month instead of the week.
function target(key, place, far) {
  if (key in STEPS) return place + STEPS[key];
  const month = months.findLastIndex((first) => first <= place);
  const week = daysOf(days[place].closest("tr"));
  if (key === "Home") return far ? months[month] : days.indexOf(week[0]);
  if (key === "End") return far ? inMonth(month, 31) : days.indexOf(week.at(-1));
  const other = month + (key === "PageUp" ? -1 : 1);
  return other in months ? inMonth(other, place - months[month]) : place;
}

function onKey(event) {
  const place = days.indexOf(event.target);
  const ends = event.key === "Home" || event.key === "End";
  const far = event.ctrlKey || event.metaKey;
  if (place < 0 || event.altKey || event.shiftKey || (far && !ends)) return;
  if (!(event.key in STEPS || ends || event.key === "PageUp" || event.key === "PageDown")) return;
  event.preventDefault();
  const day = days[target(event.key, place, far)];
  if (!day || !isShown(day)) return;
  stopAt(day);
  day.focus();
}

table.setAttribute("role", "grid");
table.setAttribute("aria-describedby", help.id);
help.hidden = false;
for (const cell of table.querySelectorAll("td")) cell.setAttribute("role", "gridcell");
for (const day of days) day.setAttribute("tabindex", "-1");
table.addEventListener("keydown", onKey);
table.addEventListener("focusin", (event) => stopAt(days.includes(event.target) ? event.target : null));
addEventListener("resize", settle);
settle();
