// The menu of further pages closes on Escape, on a press elsewhere and when the focus goes on; without this script its
// own button closes it.

const menu = document.querySelector("details.more");
const summary = menu.querySelector("summary");

function close() {
  menu.open = false;
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || !menu.open) return;
  if (menu.contains(document.activeElement)) summary.focus(); // what holds the focus is about to go
  close();
});
document.addEventListener("click", (event) => {
  if (!menu.contains(event.target)) close();
});
menu.addEventListener("focusout", (event) => {
  if (event.relatedTarget && !menu.contains(event.relatedTarget)) close();
});
