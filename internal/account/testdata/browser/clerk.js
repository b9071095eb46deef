// Stands where clerk-js would: one session, which ends or not as the cookie "way" says.
(function () {
  "use strict";
  if (window.Clerk) {
    return; // as the part of itself that it loads below
  }
  var own = document.currentScript;
  var way = (document.cookie.match(/(?:^|; )way=([^;]*)/) || [])[1];
  // clerk-js loads some parts of itself late, with no nonce (clerk-frontend.md, 1).
  function part() {
    return new Promise(function (resolve, reject) {
      if (location.pathname === "/page") {
        resolve(); // whose policy would not have it
        return;
      }
      var script = document.createElement("script");
      script.onload = resolve;
      script.onerror = reject;
      script.src = own.src + "?part";
      document.head.appendChild(script);
    });
  }
  window.Clerk = {
    key: own.getAttribute("data-clerk-publishable-key"),
    load: function (options) {
      window.Clerk.options = options;
      window.Clerk.client = { signedInSessions: ["sess_1"] };
      return part();
    },
    signOut: function (callback) {
      if (way === "refuses") {
        return Promise.reject(new Error("no"));
      }
      if (way !== "stays") {
        window.Clerk.client.signedInSessions = [];
      }
      return Promise.resolve(callback());
    },
  };
})();
