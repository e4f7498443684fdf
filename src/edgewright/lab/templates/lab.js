// Search in the list: every word must occur. Without it the page is complete.
"use strict";
const box = document.querySelector("#search");
if (box) {
  const entries = [...document.querySelectorAll("[data-words]")];
  const count = document.querySelector("#count");
  const show = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const entry of entries) entry.hidden = !words.every((word) => entry.dataset.words.includes(word));
    for (const part of document.querySelectorAll("section[data-theme]"))
      part.hidden = !part.querySelector("[data-words]:not([hidden])");
    count.textContent = `${entries.filter((entry) => !entry.hidden).length} / ${entries.length}`;
  };
  box.addEventListener("input", show);
  box.value = decodeURIComponent(location.hash.slice(1));
  show();
}
