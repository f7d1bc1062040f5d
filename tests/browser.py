"""Shows a page in headless Chromium, as wide as a phone or a desk, in the light or in the dark, and measures it."""

import html
import json
import re
import shutil
import subprocess

import pytest
from conftest import GUARD

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MEASURE = """
const findings = [...document.querySelectorAll("iframe")].map(frame => {
  const inside = frame.contentWindow, page = frame.contentDocument, root = page.documentElement;
  const measure = () => ({
    width: inside.innerWidth,
    scroll_width: root.scrollWidth,
    body_width: page.body.scrollWidth,
    dark: inside.matchMedia("(prefers-color-scheme: dark)").matches,
    paper: inside.getComputedStyle(page.body).backgroundColor,
    tables: [...page.querySelectorAll("table")].map(table => table.getBoundingClientRect().width),
    regions: [...page.querySelectorAll(".scroll")].map(region => region.getBoundingClientRect().right),
    pictures: [...page.images].map(image => [image.naturalWidth, image.getBoundingClientRect().right]),
    padding: [...page.images].map(image => inside.getComputedStyle(image).paddingTop),
    fetched: inside.performance.getEntriesByType("resource").map(entry => entry.name),
  });
  const folded = measure();
  page.querySelectorAll("details").forEach(details => { details.open = true; });
  return [folded, measure()];
});
document.getElementById("findings").textContent = JSON.stringify(findings);
"""


def views(page, scheme, folder, widths):
    """What the browser measures of a page: for each width, folded and unfolded, a dict; skips without a browser.

    A headless window is never as narrow as a phone, so the page is shown in frames; a script beside them measures.

    Args:
        page: its HTML.
        scheme: `"light"` or `"dark"`.
        folder: an empty folder.
        widths: of the frames, pixels.
    """
    if BROWSER is None:
        pytest.skip("no Chromium or Chrome")
    style, source = f"border: 0; color-scheme: {scheme}", html.escape(page)
    frames = "".join(
        f'<iframe width="{width}" height="800" style="{style}" srcdoc="{source}"></iframe>' for width in widths
    )
    script = f'<pre id="findings"></pre><script>addEventListener("load", () => {{{MEASURE}}});</script>'
    (folder / "frames.html").write_text(f"<!DOCTYPE html><meta charset='utf-8'>{frames}{script}", encoding="utf-8")
    flags = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking".split()
    flags += ["disable-component-update", "disable-sync", "window-size=1800,1000", "virtual-time-budget=10000"]
    flags += [f"blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}", f"user-data-dir={folder}/user"]
    command = [BROWSER, *(f"--{flag}" for flag in flags), "--dump-dom", (folder / "frames.html").as_uri()]
    found = subprocess.run(command, capture_output=True, text=True, timeout=GUARD, encoding="utf-8")
    match = re.search(r'<pre id="findings">(.+?)</pre>', found.stdout, re.S)
    assert match, found.stderr[-2000:]
    return [view for views in json.loads(html.unescape(match[1])) for view in views]
