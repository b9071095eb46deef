// Package browsertest plays whole sites in a real browser: an application, the
// proxy before it, and the emulator of Clerk beside it, on one origin. npm's
// clerk-js runs on the pages and npm's @clerk/express in an application, because
// what counts is what those two do and not what we think they do.
//
// Everything is in its tests. Each writes down what the application got and what
// the browser was given, in one order, and judges that in the end.
package browsertest
