/* What the theme and the gallery do not give: names for screen readers, and figures in full. */
document.addEventListener("DOMContentLoaded", () => {
  // What the wide button shows ("Search", and its keys) is its name.
  for (const button of document.querySelectorAll(".navbar-persistent--container .search-button-field")) {
    button.removeAttribute("aria-label");
  }
  // A list of sources is no list of list items.
  for (const list of document.querySelectorAll(".citation-list")) {
    list.removeAttribute("role");
  }
  // The gallery hides the text of its links.
  for (const link of document.querySelectorAll(".sphx-glr-thumbcontainer a")) {
    link.setAttribute("aria-label", link.textContent);
  }
  // Figures are small on a phone: each opens in full.
  const linked = "a img, .hero, .sphx-glr-thumbcontainer img";
  for (const image of document.querySelectorAll(`article img[src*="_images/"]:not(${linked})`)) {
    const link = document.createElement("a");
    link.href = image.src;
    link.className = "figure-link";
    image.replaceWith(link);
    link.append(image);
  }
});
