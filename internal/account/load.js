// load adds clerk-js to the page and starts it. It must be called while the
// script it stands in runs: that element's nonce is what the page's
// Content-Security-Policy lets in.
function load(settings) {
  var own = document.currentScript;
  return new Promise(function (resolve, reject) {
    var script = document.createElement("script");
    Object.keys(settings.attributes).forEach(function (name) {
      script.setAttribute(name, settings.attributes[name]);
    });
    script.async = true;
    script.crossOrigin = "anonymous";
    if (own && own.nonce) {
      script.nonce = own.nonce;
    }
    script.onerror = function () {
      reject(new Error("clerk-js cannot be loaded"));
    };
    script.onload = function () {
      if (!window.Clerk) {
        reject(new Error("clerk-js did not start"));
        return;
      }
      window.Clerk.load(settings.options).then(function () {
        resolve(window.Clerk);
      }, reject);
    };
    script.src = settings.source;
    (document.head || document.documentElement).appendChild(script);
  });
}
