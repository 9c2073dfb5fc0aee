// Fills the place of this device into the form of a session, when the person asks for it.
const row = document.getElementById("place");
// Browsers tell it to pages that came by HTTPS (or from this machine) only.
if (row && isSecureContext && "geolocation" in navigator) {
  const status = row.querySelector("[role=status]");
  row.hidden = false;
  row.querySelector("button").addEventListener("click", () => {
    status.textContent = "…";
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        // Four decimals are ten metres: a field, and no more of where somebody stands.
        document.getElementById("latitude").value = coords.latitude.toFixed(4);
        document.getElementById("longitude").value = coords.longitude.toFixed(4);
        status.textContent = row.dataset.found;
      },
      () => { status.textContent = row.dataset.denied; },
      { timeout: 20000, maximumAge: 60000 },
    );
  });
}
