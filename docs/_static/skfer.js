/* Names that screen readers need, and that the theme and the gallery do not give. */
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
});
