// The module tree opens and closes, the long tables get a filter, and numbers tell all their digits on hover.
for (const table of document.querySelectorAll("table.tree")) {
  const rows = [...table.tBodies[0].rows].map((row) => ({ row, depth: Number(row.dataset.depth), twig: null }));
  const apply = () => {
    let closed = Infinity;
    for (const { row, depth, twig } of rows) {
      row.hidden = depth > closed;
      if (!row.hidden) closed = twig && twig.getAttribute("aria-expanded") === "false" ? depth : Infinity;
    }
  };
  const openTo = (limit) => {
    for (const { depth, twig } of rows) if (twig) twig.setAttribute("aria-expanded", String(depth < limit));
    apply();
  };
  for (const each of rows) {
    if (!each.row.classList.contains("parent")) continue;
    const head = each.row.cells[0];
    each.twig = document.createElement("button");
    each.twig.type = "button";
    each.twig.className = "twig";
    each.twig.setAttribute("aria-label", `Parts of ${head.textContent.trim()}`);
    each.twig.addEventListener("click", () => {
      each.twig.setAttribute("aria-expanded", String(each.twig.getAttribute("aria-expanded") === "false"));
      apply();
    });
    head.prepend(each.twig);
  }
  table.classList.add("live");
  const tools = document.createElement("div");
  tools.className = "tools";
  for (const [words, limit] of [["Open all", Infinity], ["Close all", Number(table.dataset.open)]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    button.addEventListener("click", () => openTo(limit));
    tools.append(button);
  }
  table.parentElement.before(tools);
  openTo(Number(table.dataset.open));
  addEventListener("beforeprint", () => openTo(Infinity));
}
for (const table of document.querySelectorAll("table.filterable")) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 8) continue;
  const words = rows.map((row) => row.textContent.toLowerCase());
  const tools = document.createElement("div");
  tools.className = "tools";
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "Filter: a name, a type, a shape";
  field.setAttribute("aria-label", `Filter: ${table.parentElement.getAttribute("aria-label")}`);
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = true;
  const count = document.createElement("span");
  count.setAttribute("aria-live", "polite");
  const apply = () => {
    const wanted = field.value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((row, index) => {
      row.hidden = !words[index].includes(wanted) || (!box.checked && row.classList.contains("fused"));
      shown += row.hidden ? 0 : 1;
    });
    count.textContent = shown === rows.length ? "" : `${shown} of ${rows.length}`;
  };
  field.addEventListener("input", apply);
  box.addEventListener("change", apply);
  tools.append(field);
  if (table.querySelector("tr.fused")) {
    const label = document.createElement("label");
    label.append(box, "with those that another does");
    tools.append(label);
  }
  tools.append(count);
  table.parentElement.before(tools);
}
document.addEventListener("pointerover", (event) => {
  const cell = event.target instanceof Element ? event.target.closest(".nums td[data-sort]") : null;
  if (cell && !cell.title && Number(cell.dataset.sort) >= 0) cell.title = Number(cell.dataset.sort).toLocaleString("en", { maximumSignificantDigits: 12 });
});
