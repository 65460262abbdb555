"""Checks a report in a real browser, and takes pictures of it.

    HALFMAX_REPORT_OUT=/tmp/report.html cargo test --release -p halfmax-report --test made_up
    python tests/report/check_report.py /tmp/report.html --pictures /tmp/pictures

Works with any report: what a report does not have is not checked. Needs Chromium (--chromium PATH) and what
requirements.txt lists.
"""

import argparse
import contextlib
import pathlib
import re
import shutil
import sys
import time

import pypdfium2
from playwright.sync_api import sync_playwright

MOST_BYTES = 6_000_000
# With pictures of curves, dose matrices or plates.
MOST_BYTES_OF_PICTURES = 10_000_000
WIDTHS = {"phone": 400, "desktop": 1600}
NOTICE = "Research use only"

# Elements with text of their own, and the least contrast of that text with what is behind it.
CONTRAST = """() => {
  const luminance = ([r, g, b]) => {
    const part = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const colour = (text) => {
    const parts = (text.match(/[\\d.]+/g) || []).map(Number);
    return parts.length < 3 ? [0, 0, 0, 0] : [...parts.slice(0, 3), parts[3] ?? 1];
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = colour(getComputedStyle(at).backgroundColor);
      if (found[3] > 0.99) return found;
    }
    return colour(getComputedStyle(document.body).backgroundColor);
  };
  const poor = [];
  const page = document.querySelector('.page.open');
  for (const element of document.querySelectorAll('header *, footer *, .page.open *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || ['title', 'desc'].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const ink = colour(element instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [luminance(ink), luminance(behind(element))].sort((a, b) => b - a);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) poor.push(element.tagName + ' ' + element.textContent.slice(0, 30) + ' ' + contrast.toFixed(2));
  }
  return [...new Set(poor)].slice(0, 5);
}"""

OVERFLOW = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll('body *')].filter((element) => element.checkVisibility()
    && !element.parentElement.closest('.box, pre') && element.getBoundingClientRect().right > width + 1)
    .slice(0, 3).map((element) => element.tagName + '.' + element.className);
}"""

VISIBLE = """() => [...document.querySelectorAll('.page')].filter((page) => page.checkVisibility()).map((page) => page.id)"""


class Check:
    """Counts what is right and says what is wrong."""

    def __init__(self):
        self.right, self.wrong = 0, 0

    def __call__(self, holds, what):
        if holds:
            self.right += 1
        else:
            self.wrong += 1
            print(f"WRONG: {what}", flush=True)


@contextlib.contextmanager
def opened(browser, path, check, hash_="", **options):
    """The report in a fresh context, watched for messages and requests."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    page = context.new_page()
    messages, requests = [], []
    page.on("console", lambda message: messages.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: messages.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (messages.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{path.as_uri()}#{hash_}", wait_until="load")
    yield page
    check(not messages, f"console: {messages[:3]}")
    outside = [url for url in requests if not url.startswith((path.as_uri(), "data:"))]
    check(not outside, f"requests: {outside[:3]}")
    context.close()


def go(page, target):
    """Opens a page by its hash."""
    page.evaluate("hash => { location.hash = hash }", target)
    page.wait_for_function("hash => document.querySelector('.page.open')?.id === hash", arg=target)


def page_kinds(page):
    """All pages that the navigation leads to, and the first and second detail page of each kind."""
    ids = page.evaluate("[...document.querySelectorAll('.page')].map((page) => page.id)")
    chapters = [name for name in ids if not re.match(r"[dms]-", name)]
    details = [name for prefix in "dms" for name in [n for n in ids if n.startswith(prefix + "-")][:2]]
    return chapters, details


def check_file(path, check):
    text = path.read_text(encoding="utf-8")
    size = path.stat().st_size
    print(f"size: {size / 1e6:.2f} MB")
    most = MOST_BYTES_OF_PICTURES if re.search(r'<ol class="?gallery', text) else MOST_BYTES
    check(size <= most, f"{size} bytes")
    check("Content-Security-Policy" in text[:1000], "no content security policy at the beginning")
    check(not re.search(r"[\u202a-\u202e\u2066-\u2069]", text), "characters that turn text around")
    check(not re.search(r'href=(?!"?(#|https?://|data:,))', text), "links that are neither inside nor to the web")


def check_opening(browser, path, check, most):
    seconds = []
    for _ in range(3):
        with opened(browser, path, check) as page:
            timing = page.evaluate("""() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => {
                const entry = performance.getEntriesByType('navigation')[0];
                const paint = performance.getEntriesByName('first-contentful-paint')[0];
                done(Math.max(entry.loadEventEnd, paint ? paint.startTime : 0));
            }, 50)))""")
            seconds.append(timing / 1000)
    print(f"opens in: {', '.join(f'{value:.2f}' for value in seconds)} s")
    # Only where it is asked for: how long it takes depends on what else the machine does.
    check(most is None or min(seconds) < most, f"opens in {min(seconds):.2f} s")


def check_address(browser, path, check, names):
    """A page can be opened by its address, and is then seen from its top, with the header above it."""
    for name in names:
        with opened(browser, path, check, hash_=name) as page:
            page.wait_for_timeout(100)
            check(page.evaluate(VISIBLE) == [name], f"#{name} in the address does not open the page")
            check(page.evaluate("scrollY") == 0, f"#{name} in the address: the header is out of sight")


def check_links(page, check):
    dead = page.evaluate("""() => [...document.querySelectorAll('a[href^="#"]')].map((link) => link.hash)
        .filter((hash) => !document.getElementById(hash.slice(1)))""")
    check(not dead, f"links without a target: {dead[:3]}")
    twice = page.evaluate("""() => { const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
        return ids.filter((id, index) => ids.indexOf(id) !== index) }""")
    check(not twice, f"ids given twice: {twice[:3]}")
    # Every distinct link is followed, each from the page on which it first occurs.
    wrong = page.evaluate("""async () => {
        const seen = new Set(), wrong = [];
        const turn = () => new Promise((done) => setTimeout(done, 0));
        const changed = () => new Promise((done) => { window.addEventListener('hashchange', done, { once: true }); setTimeout(done, 1000) });
        for (const link of document.querySelectorAll('a[href^="#"]:not(.skip)')) {
            if (seen.has(link.hash)) continue;
            seen.add(link.hash);
            if (location.hash !== link.hash) { const wait = changed(); link.click(); await wait; }
            await turn();
            const open = [...document.querySelectorAll('.page.open')];
            if (open.length !== 1 || open[0] !== document.getElementById(link.hash.slice(1)).closest('.page')) wrong.push(link.hash);
        }
        return [seen.size, wrong];
    }""")
    print(f"links followed: {wrong[0]}")
    check(not wrong[1], f"links that do not open their page: {wrong[1][:3]}")


def check_search(page, check, chapter, table):
    if not page.query_selector(f"#{table}"):
        return
    go(page, chapter)
    rows = f"#{table} tbody tr:not(.group)"
    count = lambda: page.evaluate("rows => [...document.querySelectorAll(rows)].filter((row) => row.checkVisibility()).length", rows)
    before = count()
    name = page.inner_text(f"{rows} >> nth=0 >> th")
    field = page.locator(f"[data-table={table}] input")
    field.fill(name)
    found = count()
    check(0 < found <= before, f"{table}: searching {name!r} finds {found} of {before}")
    check(str(found) in page.inner_text(f"[data-table={table}] [role=status]"), f"{table}: count is not announced")
    field.fill("no drug has such a name")
    check(count() == 0, f"{table}: a search for nothing finds something")
    field.fill("")
    check(count() == before, f"{table}: an empty search does not show everything")


def check_gallery(page, check, line):
    """Cards can be searched by title and flag, and put in the orders that are offered."""
    list_id = line.get_attribute("data-gallery")
    cards = f"#{list_id} > li"
    go(page, page.evaluate("cards => document.querySelector(cards).closest('.page').id", cards))
    check(line.is_visible(), f"{list_id}: its search is not shown")
    visible = lambda: page.evaluate("cards => [...document.querySelectorAll(cards)].filter((card) => !card.hidden).length", cards)
    titles = lambda: page.evaluate("cards => [...document.querySelectorAll(cards)].map((card) => card.querySelector('h3').textContent)", cards)
    before, given = visible(), titles()
    field, status = line.locator("input"), line.locator("[role=status]")
    for text in [given[0].split(" · ")[0].replace('"', ""), *page.evaluate(
            "cards => [...new Set([...document.querySelectorAll(cards + ' .flags b')].map((flag) => flag.textContent))].slice(0, 2)", cards)]:
        field.fill(f'"{text}"' if '"' not in text else text)
        found = visible()
        check(0 < found <= before, f"{list_id}: searching {text!r} finds {found} of {before}")
        check(str(found) in status.inner_text(), f"{list_id}: the count is not announced")
    field.fill("no card has such a name")
    check(visible() == 0, f"{list_id}: a search for nothing finds something")
    field.fill("")
    check(visible() == before, f"{list_id}: an empty search does not show everything")
    if not line.locator("select").count():
        return
    options = line.locator("option").count()
    for at in range(1, options):
        line.locator("select").select_option(index=at)
        places = page.evaluate("([cards, at]) => [...document.querySelectorAll(cards)].map((card) => Number(card.dataset.o.split(' ')[at]))", [cards, at - 1])
        check(places == sorted(places), f"{list_id}: order {at} is not as said")
    line.locator("select").select_option(index=0)
    check(titles() == given, f"{list_id}: the first order does not come back")
    field.focus()
    page.keyboard.press("Tab")
    check(page.evaluate("document.activeElement.tagName") == "SELECT", f"{list_id}: Tab does not reach the orders")


def check_galleries(page, check):
    for line in page.locator("p.search[data-gallery]").all():
        check_gallery(page, check, line)
    for button in page.locator("[data-find]").all()[:3]:
        go(page, button.evaluate("button => button.closest('.page').id"))
        if not button.is_visible():
            # Two cards are not searched.
            continue
        flag = button.get_attribute("data-find")
        button.click()
        page.wait_for_function("() => document.querySelector('.page.open .gallery')")
        without = page.evaluate("""flag => [...document.querySelectorAll('.page.open .gallery > li')].filter((card) => !card.hidden
            && ![...card.querySelectorAll('.flags b')].some((own) => own.textContent === flag)).length""", flag)
        check(not without, f"{flag}: {without} cards without the flag are shown")
    unnamed = page.evaluate("[...document.querySelectorAll('.gallery svg[role=img]')].filter((svg) => !svg.querySelector('title')?.textContent.trim()).length")
    check(not unnamed, f"{unnamed} pictures without a text alternative")
    check_panels(page, check)
    table = page.query_selector("table.matrix")
    if table:
        go(page, table.evaluate("table => table.closest('.page').id"))
        cell = page.locator("table.matrix tbody td[class]").first
        cell.hover()
        check(" with " in (cell.get_attribute("title") or ""), "a cell of a dose matrix does not say its doses")


def check_panels(page, check):
    """Maps of three and more drugs: each says at which doses of the other drugs it is, also to those who do not see it, and all have the same axes."""
    wrong = page.evaluate("""() => [...document.querySelectorAll('.panels')].flatMap((panels) => {
        const tables = [...panels.querySelectorAll('table.matrix')];
        const captions = tables.map((table) => table.caption.textContent.trim());
        const axes = (table) => [...table.querySelectorAll('th')].map((head) => head.textContent).join('|');
        const labels = tables.map((table) => table.closest('[role=region]').getAttribute('aria-label'));
        return [
            tables.length ? '' : 'no map', captions.every(Boolean) ? '' : 'a map without a caption',
            new Set(captions).size === captions.length ? '' : 'two maps of the same doses: ' + captions,
            labels.every((label, at) => label.endsWith(captions[at]) && label !== captions[at]) ? '' : 'labels: ' + labels,
            tables.every((table) => axes(table) === axes(tables[0])) ? '' : 'maps of different axes',
        ].filter(Boolean);
    })""")
    check(not wrong, f"maps of three drugs: {wrong[:3]}")
    table = page.query_selector(".panels table.matrix")
    if table:
        go(page, table.evaluate("table => table.closest('.page').id"))
        cell = page.locator(".panels table.matrix tbody td[class]").first
        cell.hover()
        caption = table.evaluate("table => table.caption.textContent")
        title = cell.get_attribute("title") or ""
        check(" with " in title and caption in title, f"a cell does not say the doses of all drugs: {title!r}")


def check_sorting(page, check):
    if not page.query_selector("#drug-table"):
        return
    go(page, "drugs")
    number = lambda text: float(re.sub(r"[\u202f\s]", "", text.replace("−", "-")))
    heads = page.locator("#drug-table thead th")
    for column in range(heads.count()):
        head = heads.nth(column)
        if not head.locator("button").count() or "n" not in (head.get_attribute("class") or "").split():
            continue
        for order, sign in (("descending", -1), ("ascending", 1)):
            head.locator("button").click()
            check(head.get_attribute("aria-sort") == order, f"column {column}: aria-sort is not {order}")
            texts = page.evaluate("c => [...document.querySelectorAll('#drug-table tbody tr')].map((r) => r.cells[c].textContent)", column)
            values = [number(text) for text in texts if not text.startswith("–")]
            check(values == sorted(values, key=lambda value: sign * value), f"column {column} is not sorted {order}")
            check(not any(text.startswith("–") for text in texts[: len(values)]), f"column {column}: missing values come first")
    if heads.first.locator("button").count():
        heads.first.locator("button").click()
        check(heads.first.get_attribute("aria-sort") == "ascending", "names are not sorted")


def check_map(page, check):
    if not page.query_selector("#heat-table tbody tr:not(.group) td"):
        return
    go(page, "map")
    row = page.locator("#heat-table tbody tr:not(.group)").nth(0)
    target = row.locator("th a").get_attribute("href")
    row.locator("td").first.click()
    page.wait_for_function("hash => document.querySelector('.page.open').id === hash", arg=target[1:])
    page.go_back()
    page.wait_for_function("() => document.querySelector('.page.open').id === 'map'")
    check(page.evaluate("location.hash") == "#map", "the way back from a drug does not lead to the heat map")
    head = page.locator("#heat-table thead a").first
    target = head.get_attribute("href")
    head.click()
    page.wait_for_function("hash => document.querySelector('.page.open').id === hash", arg=target[1:])
    check(True, "")


def check_way_back(page, check):
    """Leaving a long page and coming back leads to where the reader was."""
    if not page.query_selector("#drug-table tbody tr:nth-child(60)"):
        return
    go(page, "drugs")
    link = page.locator("#drug-table tbody tr:nth-child(60) th a")
    link.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    link.click()
    page.wait_for_function("() => document.querySelector('.page.open').dataset.in === 'drugs' && document.querySelector('.page.open').id !== 'drugs'")
    check(page.evaluate("scrollY") == 0, "a drug's page does not begin at its top")
    check(page.evaluate("document.activeElement.tagName") == "H2", "the heading of an opened page has no focus")
    page.go_back()
    page.wait_for_function("() => document.querySelector('.page.open').id === 'drugs'")
    check(abs(page.evaluate("scrollY") - before) < 3, "Back does not lead to where the reader was")


def check_keyboard(page, check):
    page.evaluate("location.hash = ''")
    page.reload()
    page.keyboard.press("Tab")
    check(page.evaluate("document.activeElement.className") == "skip", "the first stop is not the skip link")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    check(outline not in ("none", ""), "no focus ring")
    page.keyboard.press("Enter")
    check(page.evaluate("document.activeElement.id") == "main", "the skip link does not skip")
    if not page.query_selector("#drug-table"):
        return
    page.reload()
    stops = 0
    reach = lambda test, most: any(page.keyboard.press("Tab") or page.evaluate(test) for _ in range(most))
    check(reach("document.activeElement.hash === '#drugs'", 30), "Tab does not reach the navigation")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.page.open').id === 'drugs'")
    check(reach("document.activeElement.id === 'drug-search'", 10), "Tab does not reach the search")
    page.keyboard.type(page.evaluate("document.querySelector('#drug-table tbody th').textContent"))
    check(reach("!!document.activeElement.closest('tbody')", 30), "Tab does not reach the rows")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.page.open').id.startsWith('d-')")


def check_looks(browser, path, check, pictures, chapters, details):
    for scheme in ("light", "dark"):
        for device, width in WIDTHS.items():
            with opened(browser, path, check, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
                for name in chapters + details:
                    go(page, name)
                    wide = page.evaluate(OVERFLOW)
                    check(not wide, f"{name} at {width}: wider than the window: {wide}")
                    poor = page.evaluate(CONTRAST)
                    check(not poor, f"{name}, {scheme}: poor contrast: {poor}")
                    check(page.locator("header .use").is_visible(), f"{name}: no notice")
                    page.screenshot(path=pictures / f"{name}-{device}-{scheme}.png")


def check_sheets(path, check):
    """Every printed sheet bears the notice; the first becomes a picture."""
    document = pypdfium2.PdfDocument(path)
    for index, sheet in enumerate(document):
        check(NOTICE in sheet.get_textpage().get_text_range(), f"{path.name}: no notice on sheet {index + 1}")
    document[0].render(scale=1.3).to_pil().save(path.with_suffix(".print.png"))


def check_print(browser, path, check, pictures, chapters, details):
    with opened(browser, path, check) as page:
        page.emulate_media(media="print")
        for name in chapters + details:
            go(page, name)
            check(page.evaluate(VISIBLE) == [name], f"{name}: printing does not show just the open page")
            check(page.locator(f"#{name} > .use").is_visible(), f"{name}: printed without the notice")
        for name in chapters + details:
            go(page, name)
            sheets = pictures / f"{name}.pdf"
            page.pdf(path=sheets, prefer_css_page_size=True)
            check_sheets(sheets, check)
        page.evaluate("document.documentElement.classList.add('all')")
        check(page.evaluate("[...document.querySelectorAll('.page')].every((page) => page.checkVisibility())"), "printing all leaves pages out")


def check_without_script(browser, path, check, pictures):
    with opened(browser, path, check, java_script_enabled=False) as page:
        count = page.locator(".page").count()
        for index in sorted({0, count // 2, count - 1}):
            section = page.locator(".page").nth(index)
            section.scroll_into_view_if_needed()
            check(section.is_visible(), f"page {index} is not shown without script")
            check(len(section.text_content()) > 20, f"page {index} is empty without script")
        check(not page.locator("p.search:visible").count(), "a search that does nothing is shown without script")
        page.screenshot(path=pictures / "without-script.png")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=pathlib.Path)
    parser.add_argument("--pictures", type=pathlib.Path, default=pathlib.Path("report-pictures"))
    parser.add_argument("--chromium", default="chromium")
    parser.add_argument("--seconds", type=float, help="fail if it takes longer to open, in the best of three")
    options = parser.parse_args()
    path = options.report.resolve()
    chromium = shutil.which(options.chromium) or sys.exit(f"{options.chromium}: not found; give --chromium PATH")
    options.pictures.mkdir(parents=True, exist_ok=True)
    check, started = Check(), time.monotonic()
    check_file(path, check)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        check_opening(browser, path, check, options.seconds)
        with opened(browser, path, check) as page:
            check(len(page.evaluate(VISIBLE)) == 1, "not exactly one page is shown")
            chapters, details = page_kinds(page)
            check_search(page, check, "drugs", "drug-table")
            check_search(page, check, "map", "heat-table")
            check_sorting(page, check)
            check_galleries(page, check)
            check_map(page, check)
            check_way_back(page, check)
            check_keyboard(page, check)
        with opened(browser, path, check) as page:
            check_links(page, check)
        check_address(browser, path, check, chapters[-1:] + details[:1])
        check_looks(browser, path, check, options.pictures, chapters, details)
        check_print(browser, path, check, options.pictures, chapters, details)
        check_without_script(browser, path, check, options.pictures)
        browser.close()
    print(f"{check.right} checks passed, {check.wrong} failed, {time.monotonic() - started:.0f} s")
    sys.exit(1 if check.wrong else 0)


if __name__ == "__main__":
    main()
