// On the page of a passing trouble: asks again after the time that the server named, and shows the page when it is there.

const told = document.getElementById("again");
const pause = Math.max(1, Number(told.dataset.seconds)) * 1000;
told.textContent = told.dataset.words;

async function ask() {
  try {
    const reply = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (reply.status !== 429 && reply.status !== 503) return location.reload();
  } catch {
    // The server is not up yet, or the connection is gone: the next try may find it.
  }
  setTimeout(ask, pause);
}

setTimeout(ask, pause);
