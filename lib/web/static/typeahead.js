// Makes a field for the name of a plant suggest taxa while one types; when the server does not answer it stays a plain field.

const PAUSE = 150; // milliseconds without a key before the server is asked
const MOST = 8;
let fields = 0;

function element(name, text, className) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// Turns `input` into a combobox (ARIA 1.2: the focus stays in the field, the active option is pointed at). When a
// taxon is chosen, the field holds its name and fires `input`, `change` and `taxon` (detail: the taxon of /api/taxa).
export function typeahead(input) {
  if (input.getAttribute("role") === "combobox") return;
  const words = JSON.parse(input.dataset.typeahead);
  const id = `typeahead-${++fields}`;
  const list = element("span", "", "suggestions"); // spans, as the field stands in a paragraph
  const counted = element("span", "", "unseen");
  let taxa = [];
  let active = -1;
  let timer;
  let asked = new AbortController();

  list.id = id;
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", words.list);
  counted.setAttribute("role", "status");
  input.after(list, counted);
  for (const [name, value] of [
    ["role", "combobox"],
    ["aria-autocomplete", "list"],
    ["aria-controls", id],
    ["aria-expanded", "false"],
  ]) {
    input.setAttribute(name, value);
  }

  function close() {
    clearTimeout(timer);
    asked.abort();
    taxa = [];
    list.hidden = true;
    list.replaceChildren();
    counted.textContent = "";
    input.setAttribute("aria-expanded", "false");
    point(-1);
  }

  function point(number) {
    active = number;
    input.removeAttribute("aria-activedescendant");
    for (const [place, option] of [...list.children].entries()) {
      option.setAttribute("aria-selected", String(place === number));
      if (place !== number) continue;
      input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    }
  }

  function choose(taxon) {
    input.value = taxon.name;
    for (const name of ["input", "change"]) input.dispatchEvent(new Event(name, { bubbles: true }));
    close(); // what is chosen needs no more suggestions
    input.dispatchEvent(new CustomEvent("taxon", { bubbles: true, detail: taxon }));
  }

  function optionOf(taxon, place) {
    const option = element("span");
    option.id = `${id}-${place}`;
    option.setAttribute("role", "option");
    const latin = element("i", taxon.name);
    latin.lang = "la";
    option.append(latin);
    const common = document.documentElement.lang === "ja" ? taxon.common_name_ja : taxon.common_name_en;
    if (common) option.append(" ", element("span", common, "common"));
    if (words[taxon.level]) option.append(" ", element("span", words[taxon.level], "common"));
    option.addEventListener("click", () => choose(taxon));
    return option;
  }

  function show(found) {
    taxa = found;
    list.replaceChildren(...taxa.map(optionOf));
    list.hidden = taxa.length === 0;
    input.setAttribute("aria-expanded", String(taxa.length > 0));
    counted.textContent = taxa.length ? words.counted.replace("{num}", taxa.length) : words.none;
    point(-1);
    list.scrollIntoView({ block: "nearest" }); // it may open below what one sees
  }

  async function ask() {
    const query = input.value.trim();
    asked.abort();
    if (!query || query.length > 100) return close();
    const mine = (asked = new AbortController());
    try {
      const address = `/api/taxa?limit=${MOST}&q=${encodeURIComponent(query)}`;
      const reply = await fetch(address, { signal: mine.signal, headers: { Accept: "application/json" } });
      const found = reply.ok ? (await reply.json()).taxa : [];
      if (mine.signal.aborted) return;
      if (reply.ok && document.activeElement === input) show(found);
      else close();
    } catch {
      if (!mine.signal.aborted) close(); // no answer: what is typed is sent as it is
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  });

  input.addEventListener("keydown", (event) => {
    // While kana are being turned into kanji, the keys belong to that.
    if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey) return;
    const last = taxa.length - 1;
    const open = last >= 0;
    if (event.key === "ArrowDown" && !open) ask();
    else if (event.key === "ArrowDown" && !event.altKey) point(active >= last ? 0 : active + 1);
    else if (event.key === "ArrowUp" && open && event.altKey) close();
    else if (event.key === "ArrowUp" && open) point(active <= 0 ? last : active - 1);
    else if (event.key === "Home" && active >= 0) point(0);
    else if (event.key === "End" && active >= 0) point(last);
    else if (event.key === "Enter" && active >= 0) choose(taxa[active]);
    else if (event.key === "Escape" && open) close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  // A press on the list must not take the focus from the field, which would close the list before the click is there.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  input.addEventListener("blur", close);
  input.form?.addEventListener("reset", close);
  // Typed while this script was still on its way.
  if (document.activeElement === input && input.value !== input.defaultValue) ask();
}

for (const input of document.querySelectorAll("[data-typeahead]")) typeahead(input);
