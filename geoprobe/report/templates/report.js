"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  // The page's brightness: as the system has it, until the reader says otherwise.
  const theme = document.querySelector(".theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
  const nameTheme = () => { theme.textContent = isDark() ? "Light page" : "Dark page"; };
  try {
    const kept = localStorage.getItem("geoprobe-theme");
    if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  } catch { /* A page opened from a disk may not be allowed to remember. */ }
  theme.hidden = false;
  nameTheme();
  system.addEventListener("change", nameTheme);
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
    try { localStorage.setItem("geoprobe-theme", root.dataset.theme); } catch { /* As above. */ }
  });

  // Tables: a click on a heading sorts, another one turns the order round.
  const words = new Intl.Collator("en", { numeric: true });
  const numberIn = (text) => {
    const value = parseFloat(text.replace("\u2212", "-").replaceAll(",", ""));
    return Number.isNaN(value) ? null : value;
  };
  const sort = (head) => {
    const table = head.closest("table");
    const turn = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const at = head.cellIndex;
    const numeric = !head.classList.contains("t");
    const rows = [...table.tBodies[0].rows].map((row) => {
      const text = row.cells[at].textContent;
      return { row, key: numeric ? numberIn(text) : text === "\u2013" ? null : text };
    });
    // What is undefined stays at the end in either order.
    rows.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
      return turn * (numeric ? a.key - b.key : words.compare(a.key, b.key));
    });
    table.tBodies[0].append(...rows.map((one) => one.row));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", turn === 1 ? "ascending" : "descending");
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("th button");
    if (button) sort(button.closest("th"));
  });

  // What is copied out of a table goes into a spreadsheet: tabs, minus signs, nothing that would run.
  const plain = (cell) => {
    const text = cell.textContent.trim().replace(/\s+/g, " ");
    if (!cell.classList.contains("t")) return text.replace("\u2212", "-");
    return /^'*[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text;
  };
  document.addEventListener("copy", (event) => {
    const chosen = getSelection();
    const range = chosen.rangeCount ? chosen.getRangeAt(0).commonAncestorContainer : document;
    const within = range.closest ? range : range.parentElement;
    const table = within?.closest("table");
    if (!table || within.closest("td, th")) return;
    const rows = [...table.rows].map((row) => [...row.cells].filter((cell) => chosen.containsNode(cell, true)));
    const lines = rows.filter((row) => row.length).map((row) => row.map(plain).join("\t"));
    event.clipboardData.setData("text/plain", `${lines.join("\n")}\n`);
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".copy");
    if (!button) return;
    const said = button.textContent;
    getSelection().selectAllChildren(button.closest(".fold").querySelector("table"));
    button.textContent = document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C";
    setTimeout(() => { button.textContent = said; }, 2000);
  });

  // What a mark of a figure stands for, near the pointer or the finger.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const tell = (mark, x, y) => {
    if (mark.dataset.tip) return mark.dataset.tip;
    const { rows, columns, values } = JSON.parse(mark.dataset.cells);
    const box = mark.getBoundingClientRect();
    const i = Math.floor((y - box.top) / box.height * rows.length);
    const j = Math.floor((x - box.left) / box.width * columns.length);
    return values[i]?.[j] ? `${rows[i]}\n${columns[j]}\n${values[i][j]}` : "";
  };
  const point = ({ target, clientX: x, clientY: y }) => {
    let mark = null;
    if (target.closest?.(".canvas")) {
      for (const [right, down] of [[0, 0], [0, -6], [6, 0], [0, 6], [-6, 0]]) {
        mark ??= document.elementFromPoint(x + right, y + down)?.closest("[data-tip], [data-cells]");
      }
    }
    tip.textContent = mark ? tell(mark, x, y) : "";
    tip.hidden = !tip.textContent;
    tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${y + 18 + tip.offsetHeight < innerHeight ? y + 18 : y - 12 - tip.offsetHeight}px`;
  };
  document.addEventListener("pointermove", point);
  document.addEventListener("pointerdown", point);
  document.addEventListener("scroll", () => { tip.hidden = true; }, { capture: true, passive: true });

  // Views that are compressed until somebody wants to see them.
  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };

  const still = (view) => {
    view.open = true;
    view.querySelector("summary").tabIndex = -1;
  };

  // The address says which view was chosen last, and the browser's history which were seen with it.
  const sections = new Map();
  const remember = (how, address) => {
    const seen = [...sections].map(([id, one]) => [id, one.seen()]);
    history[how](seen, "", address);
  };
  const follow = () => {
    const [id, ...query] = location.hash.slice(1).split("?");
    if (!query.length || !sections.has(id)) return;
    sections.get(id).find(new URLSearchParams(query.join("?")));
    document.getElementById(id).scrollIntoView({ behavior: "instant" });
  };

  const prepare = (section) => {
    const views = section.querySelector(".views");
    if (!views) return;
    const there = new Map([...views.children].map((view) => [Number(view.dataset.view), view]));
    there.forEach(still);
    const told = section.querySelector(".choices");
    if (!told) return;
    const { rows, opening } = JSON.parse(told.textContent);
    const names = JSON.parse(told.textContent).names;
    const form = section.querySelector(".choosers");
    const selects = [...form.querySelectorAll("select")];
    const status = section.querySelector(".status");
    const packed = section.querySelector(".packed");
    let unpacked = null;
    let wanted = opening;

    const fetchView = async (k) => {
      if (there.has(k)) return there.get(k);
      unpacked ??= unpack(packed.textContent);
      const html = (await unpacked)[k < opening ? k : k - 1];
      const view = document.createElement("details");
      view.className = "view";
      view.dataset.view = k;
      const summary = document.createElement("summary");
      summary.textContent = names[k];
      view.innerHTML = html;
      view.prepend(summary);
      still(view);
      there.set(k, view);
      views.append(view);
      return view;
    };

    const show = async (k) => {
      wanted = k;
      selects.forEach((select, i) => { select.value = rows[k][i]; });
      let view;
      try {
        view = await fetchView(k);
      } catch {
        status.textContent = "This browser is too old to unpack this view.";
        return;
      }
      if (wanted !== k) return;
      const before = [...views.children].find((one) => !one.hidden);
      // What was folded open stays open, so that views can be compared.
      const folds = before && before !== view ? before.querySelectorAll(".fold") : [];
      const now = view.querySelectorAll(".fold");
      folds.forEach((fold, i) => { if (now[i]) now[i].open = fold.open; });
      for (const one of views.children) one.hidden = one !== view;
      status.textContent = "";
    };

    // Not every combination exists: the nearest one to what was just chosen is shown.
    const nearest = (now, changed) => {
      let best = wanted;
      let score = -1;
      rows.forEach((row, k) => {
        let same = 0;
        row.forEach((value, i) => {
          if (value === now[i]) same += 2 ** (i === changed ? 2 * row.length : row.length - i);
        });
        if (same > score) { score = same; best = k; }
      });
      return best;
    };
    const keys = selects.map((select) => select.parentElement.querySelector("bdi").textContent);
    selects.forEach((select, i) => select.addEventListener("change", () => {
      show(nearest(selects.map((one) => one.value), i));
      const choice = new URLSearchParams(keys.map((key, k) => [key, rows[wanted][k]]));
      remember("pushState", `#${section.id}?${choice}`);
    }));
    sections.set(section.id, {
      show,
      seen: () => wanted,
      find: (choice) => show(nearest(keys.map((key, i) => choice.get(key) ?? rows[wanted][i]))),
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    show(opening);
  };
  document.querySelectorAll(".analysis").forEach(prepare);
  follow();
  remember("replaceState");
  addEventListener("popstate", (event) => {
    if (event.state) {
      event.state.forEach(([id, k]) => sections.get(id)?.show(k));
    } else {
      follow();
      remember("replaceState");
    }
  });
})();
