"""Check the built site: its links, and how its pages look in a browser.

    python docs/check_site.py docs/_build
    python docs/check_site.py docs/_build --axe node_modules/axe-core/axe.min.js --shots shots/

The first needs nothing but Python: every link of the site leads somewhere, to an anchor too, and
every picture has a text. The second needs playwright, a Chromium (``--browser`` names one that is
installed) and the file of axe-core (npm): each page, at 1440 and 390 pixels, light and dark, must
fit its width, cut nothing off, and have no serious fault of accessibility.
"""

import argparse
import itertools
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

WIDTHS = (1440, 390)
THEMES = ("light", "dark")
SERIOUS = ("serious", "critical")

# What lies outside of the page's width, and is not in a box that scrolls by itself.
WIDE = """() => {
  const wide = [], width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) wide.push("the page itself");
  // What holds the whole page is to scroll no more than the page itself.
  const whole = (e) => e.matches("body, main, article, .bd-content, [class^=bd-article]");
  const scrolls = (e) => e && !whole(e) && (
    ["auto", "scroll"].includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  for (const e of document.querySelectorAll("main *")) {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (!box.width || box.right <= width + 1 || scrolls(e)) continue;
    if (style.position === "fixed" || style.visibility === "hidden") continue;
    wide.push(`${e.tagName}.${e.className}: ${e.textContent.trim().slice(0, 40)}`);
  }
  return wide.slice(0, 5);
}"""
CUT = """() => [...document.querySelectorAll("main *")].filter((e) => {
  const style = getComputedStyle(e);
  return style.overflowX === "hidden" && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1
    && e.textContent.trim() && !e.classList.contains("sr-only");
}).map((e) => `${e.tagName}.${e.className}: ${e.textContent.trim().slice(0, 40)}`).slice(0, 5)"""


class Page(HTMLParser):
    """Links, anchors and pictures of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors, self.without_text = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        self.links += [found[name] for name in ("href", "src") if found.get(name)]
        if tag == "img" and "alt" not in found:
            self.without_text.append(found.get("src", "?"))


def check_links(site):
    """Faults of links and pictures, a line each."""
    paths = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in paths}
    for path, page in pages.items():
        here = path.relative_to(site)
        yield from (f"{here}: the picture {image} has no text" for image in page.without_text)
        for link in sorted(set(page.links)):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            target = target / "index.html" if target.is_dir() else target
            anchor = unquote(parts.fragment)
            if not target.exists():
                yield f"{here}: {link} leads nowhere"
            elif anchor and target in pages and anchor not in pages[target].anchors:
                yield f"{here}: {link} has no such anchor"


def check_looks(site, options):
    """Faults of pages in a browser, a line each."""
    from playwright.sync_api import sync_playwright

    names = [str(path.relative_to(site)) for path in sorted(site.rglob("*.html"))]
    names = [name for name in names if not name.startswith(("_static", "_modules"))]
    names = [name for name in names if any(part in name for part in options.only)]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=options.browser, args=["--no-sandbox"])
        for name in names:
            # A page of its own each: a browser keeps what it has drawn.
            page = browser.new_page()
            page.set_default_timeout(300_000)  # a busy machine is slow, not at fault
            # Nothing from outside: a page has to be whole without a network.
            page.route("http*://**", lambda route: route.abort())
            page.goto(f"file://{site / name}")
            page.add_style_tag(content="* { transition: none !important; }")
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                page.wait_for_timeout(500)  # the theme sees what scrolls now a little later
                for theme in THEMES:
                    where = f"{name} ({width} px, {theme})"
                    yield from (f"{where}: {fault}" for fault in look(page, options, theme))
                    if options.shots:
                        shot = f"{name.replace('/', '_')}-{width}-{theme}.png"
                        page.screenshot(path=options.shots / shot, full_page=True)
            page.close()
        browser.close()


def look(page, options, theme):
    """Faults of one page at one width in one mode."""
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    yield from (f"too wide: {what}" for what in page.evaluate(WIDE))
    yield from (f"cut off: {what}" for what in page.evaluate(CUT))
    if options.axe:
        if not page.evaluate("'axe' in window"):
            page.add_script_tag(path=options.axe)
        for fault in page.evaluate("async () => (await axe.run()).violations"):
            if fault["impact"] in SERIOUS:
                places = ", ".join(node["target"][-1] for node in fault["nodes"][:3])
                yield f"{fault['id']} ({len(fault['nodes'])}): {places}"


def main():
    """Print the faults; the exit code is 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path, help="the folder of the built pages")
    parser.add_argument("--axe", type=Path, help="axe.min.js: look at the pages in a browser")
    parser.add_argument("--browser", help="an installed Chromium (else playwright's own)")
    parser.add_argument("--shots", type=Path, help="a folder for pictures of the pages")
    parser.add_argument("--only", nargs="*", default=[""], help="parts of the pages' names")
    options = parser.parse_args()
    site = options.site.resolve()
    if not (site / "index.html").is_file():
        parser.error(f"{site} has no index.html: build the site first")
    if options.shots:
        options.shots.mkdir(parents=True, exist_ok=True)
    found, number = check_links(site), 0
    if options.axe:
        found = itertools.chain(found, check_looks(site, options))
    for fault in found:
        print(fault, flush=True)
        number += 1
    print(f"{number} faults", file=sys.stderr)
    return 1 if number else 0


if __name__ == "__main__":
    sys.exit(main())
