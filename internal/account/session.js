(function () {
  "use strict";
  if (window.Clerk || document.querySelector("script[data-clerk-publishable-key]")) {
    return; // the page has a Clerk frontend of its own, or this script twice
  }
{{template "load"}}
  load({{.}}).catch(function (error) {
    console.warn("authproxy: nothing keeps the session fresh on this page:", error);
  });
})();
