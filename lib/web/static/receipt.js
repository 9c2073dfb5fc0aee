// How a photo and a day are told in the list: before it is sent, on its way, and what became of it.

const section = document.getElementById("progress");
const language = document.documentElement.lang;
const guest = "guest" in section.dataset;
const several = "several" in section.dataset;
export const words = JSON.parse(section.dataset.words);

export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

export function size(bytes) {
  const [unit, amount] = bytes < 100_000 ? ["kilobyte", bytes / 1000] : ["megabyte", bytes / 1_000_000];
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: 1 }).format(amount);
}

// The small picture of a file. Browsers that cannot show HEIC get a tile with the file's ending.
function preview(file) {
  const frame = element("span", undefined, "preview");
  const image = element("img");
  const address = URL.createObjectURL(file);
  image.alt = "";
  image.decoding = "async";
  image.onload = () => URL.revokeObjectURL(address);
  image.onerror = () => {
    URL.revokeObjectURL(address);
    image.remove();
    frame.textContent = /\.(\w{1,4})$/.exec(file.name)?.[1].toUpperCase() ?? "?";
    frame.ariaHidden = "true";
  };
  image.src = address;
  frame.append(image);
  return frame;
}

// The list item of a file: its picture stays, the rest is told anew whenever something happens.
export function itemOf(file) {
  const item = element("li");
  item.append(preview(file), element("div"));
  return item;
}

export function show(entry, className, status, ...parts) {
  const head = element("p", entry.file.name, "filename");
  if (status) head.append(" · ", element("strong", status));
  entry.item.className = className;
  entry.item.lastElementChild.replaceChildren(head, ...parts);
}

export function showPicked(entry, remove) {
  const button = element("button", words.remove, "quiet");
  button.type = "button";
  button.ariaLabel = fill(words.remove_which, { filename: entry.file.name });
  button.onclick = remove;
  show(entry, "picked", words.picked, element("p", size(entry.file.size), "small"), button);
}

// Returns what to call with the share of the photo that has gone out.
export function showSending(entry) {
  const bar = element("progress");
  bar.max = 1;
  bar.value = 0;
  bar.ariaLabel = fill(words.progress, { filename: entry.file.name });
  const line = element("p", fill(words.sending, { percent: 0 }));
  show(entry, "sending", "", bar, line);
  return (share) => {
    if (share < 1) bar.value = share;
    else bar.removeAttribute("value");
    line.textContent = share < 1 ? fill(words.sending, { percent: Math.floor(share * 100) }) : words.naming;
  };
}

export function refusal(problem) {
  const told = words.refusals[String(problem?.type ?? "").split("#")[1]];
  if (!told) return problem?.detail ?? problem?.title ?? "";
  return [told, words.refusals[problem.cause]].filter(Boolean).join(" ");
}

function latin(name) {
  const made = element("i", name);
  made.lang = "la";
  return made;
}

function species(image, commonName) {
  const line = element("p", undefined, "species");
  if (!["species", "genus", "family"].includes(image.label_level)) {
    line.textContent = image.label === null ? words.unlabelled : (words.labels[image.label] ?? image.label);
    return line;
  }
  if (image.label_level === "species" && !guest) {
    const link = element("a", undefined, "taxon");
    link.href = `/species/${encodeURIComponent(image.label)}`;
    link.append(latin(image.label));
    line.append(link);
  } else {
    line.append(latin(image.label));
  }
  if (commonName) line.append(" ", element("span", commonName, "common"));
  return line;
}

// As Words.percent: what would round to nothing or to all is only said to be below or above.
function percent(share) {
  const whole = Math.round(share * 100);
  if (whole === 0 && share > 0) return "<1%";
  return whole === 100 && share < 1 ? ">99%" : `${whole}%`;
}

function confidence(image, closestName) {
  if (image.label_source === "human") return element("p", words.human);
  const best = image.predictions[0];
  if (!best) return "";
  const level = image.label_level;
  const sure = level === "species" && best.confidence >= 0.9 ? words.very_sure : words.levels[level];
  const line = element("p", sure);
  if (level !== "species") {
    const [before, after] = words.closest.split("{species}");
    line.append(" · ", before, latin(best.species));
    if (closestName) line.append(" ", element("span", closestName, "common"));
    line.append(after);
  }
  line.append(` · ${percent(best.confidence)}`);
  return line;
}

export function unsure(result) {
  return result.image?.label_source === "model" && result.image.label_level !== "species";
}

// `confirm` is called with the button when the person says that the name is right.
export function showTaken(entry, result, confirm) {
  const { image, problem } = result;
  const status = words.status[result.status];
  // A guest is not shown a photo that the owner had already.
  if (!image) return show(entry, result.status, status, element("p", refusal(problem)));
  const notes = [];
  if (image.quality.low_resolution) notes.push(words.low_resolution);
  if (image.masked && image.label_source !== "human") notes.push(words.from_a_list);
  if (image.date_source === "today") notes.push(words.day_guessed);
  show(
    entry,
    result.status,
    status,
    species(image, result.common_name),
    confidence(image, result.closest_common_name),
    ...notes.map((note) => element("p", note, "small")),
    problem ? element("p", refusal(problem)) : "",
    guest ? "" : actions(entry, image, confirm),
  );
}

function actions(entry, image, confirm) {
  const line = element("p", undefined, "steps");
  const filename = entry.file.name;
  const link = element("a");
  link.href = `/photos/${image.id}`;
  if (image.label_source === "model" && image.label_level === "species") {
    const button = element("button", words.confirm, "quiet");
    button.type = "button";
    button.ariaLabel = fill(words.confirm_which, { filename, species: image.label });
    button.onclick = () => confirm(button);
    line.append(button, " ");
    link.textContent = words.not_right;
    link.ariaLabel = fill(words.not_right_which, { filename });
  } else {
    link.textContent = words.open;
    link.ariaLabel = fill(words.open_which, { filename });
  }
  line.append(link);
  return line;
}

// The server's own small picture, where the browser could make none: of a HEIC photo.
export function showServersPicture(entry, image) {
  const frame = entry.item.firstElementChild;
  if (guest || !image || frame.querySelector("img")) return;
  const picture = element("img");
  picture.alt = "";
  picture.onload = () => frame.replaceChildren(picture);
  picture.src = `/api/images/${image.id}/file?width=160`;
}

// One entry a day, renewed as photos of it come in: what it has become, and the way to it.
export function showDay(list, day, row, before) {
  const id = `day-${row.session_id}-${day}`;
  const item = document.getElementById(id) ?? element("li");
  item.id = id;
  if (!item.isConnected) list.append(item);
  list.hidden = false;
  const written = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { dateStyle: "long", timeZone: "UTC" });
  const link = element("a", written.format(new Date(`${day}T00:00:00Z`)));
  link.href = `/days/${day}${several ? `?session=${row.session_id}` : ""}`;
  const figures = element("dl");
  for (const metric of ["total_images", "species_richness"]) {
    figures.append(figure(metric, [before?.[metric], row[metric]].map(whole)));
  }
  const enough = row.effort === "ok" && row.shannon_diversity !== null;
  const shannon = figure("shannon_diversity", [
    enough ? decimals(before?.shannon_diversity) : null,
    enough ? decimals(row.shannon_diversity) : words.too_few,
  ]);
  const interval = row.confidence_intervals.shannon_diversity;
  if (enough && interval) {
    shannon.lastElementChild.append(` (${decimals(interval.low)}–${decimals(interval.high)})`);
  }
  figures.append(shannon);
  const head = element("p");
  head.append(link);
  item.replaceChildren(head, figures);
}

function figure(metric, [before, now]) {
  const made = element("div");
  const value = element("dd");
  if (before !== null && before !== now) {
    const arrow = element("span", "→");
    arrow.ariaHidden = "true";
    const past = element("span", `${words.day_before} `, "unseen");
    const present = element("span", `, ${words.day_now} `, "unseen");
    value.append(past, `${before} `, arrow, present, " ");
  }
  value.append(element("strong", now));
  made.append(element("dt", words.metrics[metric]), value);
  return made;
}

function whole(number) {
  return number == null ? null : number.toLocaleString(language);
}

function decimals(number) {
  return number == null ? null : number.toFixed(2);
}
