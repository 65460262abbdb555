// What the report does by itself. Everything can be read without it: it only shows one page at a time instead of all,
// and adds searching, sorting and printing.
(() => {
  'use strict';

  const root = document.documentElement;
  root.classList.add('js'); // Before anything is laid out: the style sheet then hides all pages but the open one.

  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // ---- Pages ------------------------------------------------------------------------------------------------------

  const scrolls = new Map(); // By hash: how far the page and its boxes were scrolled when they were left.
  let openPage = null;
  let openHash = '';
  let followed = false; // Whether a link was followed, as opposed to the way back or forth.

  const targetOf = (hash) => {
    try {
      return document.getElementById(decodeURIComponent(hash.slice(1)));
    } catch {
      return null; // Not a valid address.
    }
  };

  const remember = () => {
    const boxes = openPage ? all('.box', openPage).map((box) => [box.scrollLeft, box.scrollTop]) : [];
    scrolls.set(openHash, { top: window.scrollY, boxes });
  };

  const restore = () => {
    const kept = scrolls.get(openHash) || { top: 0, boxes: [] };
    window.scrollTo(0, kept.top);
    all('.box', openPage).forEach((box, index) => {
      if (kept.boxes[index]) [box.scrollLeft, box.scrollTop] = kept.boxes[index];
    });
  };

  const markNavigation = () => {
    for (const link of all('nav a')) {
      if (link.hash === '#' + openPage.dataset.in) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
  };

  // Shows the page that the address names, or the first one.
  const show = (first) => {
    const target = targetOf(location.hash);
    if (target && target.id === 'main') return target.focus();
    const page = (target && target.closest('.page')) || document.querySelector('.page');
    if (!page) return;
    if (!first) remember();
    openHash = location.hash;
    if (page !== openPage) {
      if (openPage) openPage.classList.remove('open');
      page.classList.add('open');
      openPage = page;
      makeSortable(page);
      markNavigation();
    }
    const heading = page.querySelector('h2');
    document.title = heading.textContent.trim() + ' – ' + document.querySelector('h1').textContent;
    if (!first) heading.focus({ preventScroll: true });
    if (target && target !== page && (followed || first)) target.scrollIntoView();
    else if (followed || first) window.scrollTo(0, 0);
    else restore();
    followed = false;
  };

  // ---- Sorting ----------------------------------------------------------------------------------------------------

  const POWERS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

  // The number that a cell shows, NaN where there is none: "−1 234.5", "< 0.0001", "91 %", "1.2 × 10⁻⁵", "0.9 0.8 to 1".
  const numberIn = (cell) => {
    const text = cell.textContent.replace(/[\s\u202f]/gu, ' ').replace(/−/g, '-').trim();
    const match = text.match(/^<? ?([+-]?\d+(?: \d{3}(?!\d))*(?:\.\d+)?)(?: × 10(⁻?)([⁰¹²³⁴⁵⁶⁷⁸⁹]+))?/u);
    if (!match) return NaN;
    const exponent = [...(match[3] || '⁰')].map((digit) => POWERS.indexOf(digit)).join('');
    return Number(match[1].replace(/ /g, '') + 'e' + (match[2] ? '-' : '') + exponent);
  };

  const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

  const sort = (table, column, numeric, ascending) => {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row, place) => {
      const cell = row.cells[column];
      const key = !cell ? (numeric ? NaN : '') : numeric ? numberIn(cell) : cell.textContent.trim();
      return { row, place, key, missing: numeric ? Number.isNaN(key) : key === '' || key.startsWith('–') };
    });
    rows.sort((a, b) => {
      if (a.missing || b.missing) return a.missing - b.missing || a.place - b.place; // Always last.
      const order = numeric ? a.key - b.key : collator.compare(a.key, b.key);
      return (ascending ? order : -order) || a.place - b.place;
    });
    body.append(...rows.map(({ row }) => row));
  };

  const onSort = (head, table) => {
    const numeric = head.classList.contains('n');
    const before = head.getAttribute('aria-sort');
    const ascending = before ? before !== 'ascending' : !numeric; // Numbers: the largest first.
    for (const other of all('thead th', table)) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
    sort(table, head.cellIndex, numeric, ascending);
  };

  // Puts a button into each head of the page's tables. Only when a page is opened: there are hundreds.
  const makeSortable = (page) => {
    for (const table of all('table.sort', page)) {
      table.classList.remove('sort');
      if (table.tBodies[0].rows.length < 2) continue;
      for (const head of table.tHead.rows[0].cells) {
        if (head.classList.contains('u')) continue;
        const button = document.createElement('button');
        button.type = 'button';
        button.append(...head.childNodes);
        head.append(button);
        button.addEventListener('click', () => onSort(head, table));
      }
    }
  };

  // ---- Searching --------------------------------------------------------------------------------------------------

  const startSearch = (line) => {
    const table = document.getElementById(line.dataset.table);
    const field = line.querySelector('input');
    const status = line.querySelector('[role=status]');
    const rows = all('tbody tr:not(.group)', table).map((row) => ({ row, text: null }));
    const groups = all('tbody', table).filter((body) => body.querySelector('.group'));
    // In the heat map only the drug's name is searched, elsewhere the whole row.
    const textOf = (row) => (groups.length ? row.cells[0] : row).textContent.toLowerCase();
    const search = () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let found = 0;
      for (const entry of rows) {
        entry.text ??= textOf(entry.row);
        entry.row.hidden = !words.every((word) => entry.text.includes(word));
        found += !entry.row.hidden;
      }
      for (const body of groups) body.hidden = !body.querySelector('tr:not(.group):not([hidden])');
      status.textContent = words.length ? found + ' of ' + rows.length + ' found' : rows.length + ' ' + (line.dataset.noun || 'drugs');
    };
    field.addEventListener('input', search);
    search();
    line.hidden = false;
  };

  // ---- Galleries --------------------------------------------------------------------------------------------------

  // Cards are searched by their titles and flags.
  const startGallery = (line) => {
    const list = document.getElementById(line.dataset.gallery);
    const field = line.querySelector('input');
    const order = line.querySelector('select');
    const status = line.querySelector('[role=status]');
    const entries = [...list.children].map((card) => ({
      card,
      places: (card.dataset.o || '').split(' ').map(Number),
      text: all('h3, .sub, .flags', card).map((part) => part.textContent).join(' ').toLowerCase(),
    }));
    const search = () => {
      // Words, or phrases in quotation marks.
      const words = (field.value.toLowerCase().match(/"[^"]+"|[^\s"]+/g) || []).map((word) => word.replaceAll('"', ''));
      let found = 0;
      for (const { card, text } of entries) {
        card.hidden = !words.every((word) => text.includes(word));
        found += !card.hidden;
      }
      status.textContent = words.length ? found + ' of ' + entries.length + ' found' : entries.length + ' ' + line.dataset.noun;
    };
    const arrange = () => {
      const at = order.selectedIndex - 1;
      const sorted = at < 0 ? entries : [...entries].sort((a, b) => a.places[at] - b.places[at]);
      list.append(...sorted.map(({ card }) => card));
    };
    field.addEventListener('input', search);
    if (order) order.addEventListener('change', arrange);
    search();
    line.hidden = false;
  };

  // Buttons that search the first gallery for a flag.
  const startFind = (button) => {
    const field = document.querySelector('[data-gallery] input');
    if (!field) return;
    button.hidden = false;
    button.addEventListener('click', () => {
      field.value = '"' + button.dataset.find + '"';
      field.dispatchEvent(new Event('input'));
      followed = true;
      location.hash = field.closest('.page').id;
    });
  };

  // ---- Dose matrices ----------------------------------------------------------------------------------------------

  const startMatrix = (table) => {
    table.addEventListener('mouseover', (event) => {
      const cell = event.target.closest('td');
      if (!cell || cell.dataset.told || !cell.textContent) return;
      const more = cell.title;
      const doses = [cell.parentElement.cells[0], table.tHead.rows[0].cells[cell.cellIndex]].map((head) => head.textContent);
      const others = table.closest('.panels') ? ', ' + table.caption.textContent : ''; // The doses of further drugs.
      cell.title = doses.join(' with ') + others + ': ' + cell.textContent + (more ? ' (' + more + ')' : '');
      cell.dataset.told = '1';
    });
  };

  // ---- Heat map ---------------------------------------------------------------------------------------------------

  const startMap = (table) => {
    const rowLink = (cell) => cell && cell.tagName === 'TD' && cell.parentElement.querySelector('th a');
    table.addEventListener('click', (event) => {
      const link = !event.target.closest('a') && rowLink(event.target.closest('td'));
      if (link) link.click();
    });
    table.addEventListener('mouseover', (event) => {
      const cell = event.target.closest('td');
      const link = rowLink(cell);
      if (!link || cell.title) return;
      const head = table.tHead.rows[0].cells[cell.cellIndex];
      cell.title = link.textContent + ', ' + head.textContent + ': ' + cell.textContent;
    });
  };

  // ---- Printing ---------------------------------------------------------------------------------------------------

  const startPrinting = (line) => {
    line.hidden = false;
    line.addEventListener('click', (event) => {
      const what = event.target.dataset.print;
      if (!what) return;
      root.classList.toggle('all', what === 'all');
      window.print();
    });
    window.addEventListener('afterprint', () => root.classList.remove('all'));
  };

  // ---- Start ------------------------------------------------------------------------------------------------------

  document.addEventListener('DOMContentLoaded', () => {
    if ('scrollRestoration' in history) history.scrollRestoration = 'manual';
    document.addEventListener('click', (event) => {
      const link = event.target.closest('a[href^="#"]');
      if (!link) return;
      followed = link.hash !== location.hash;
      if (link.hash === '#main') {
        event.preventDefault(); // The skip link leads into the open page, whichever it is.
        followed = false;
        document.getElementById('main').focus();
      }
    });
    window.addEventListener('hashchange', () => show(false));
    all('p.search[data-table]').forEach(startSearch);
    all('p.search[data-gallery]').forEach(startGallery);
    all('[data-find]').forEach(startFind);
    all('table.matrix').forEach(startMatrix);
    all('table.heat').forEach(startMap);
    all('p.print').forEach(startPrinting);
    show(true);
  });
})();
