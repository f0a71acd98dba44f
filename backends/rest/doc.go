// Package rest is JSON and contents over HTTP for services that are signed in to with bearer tokens.
//
// A Client owns what no service should have to think of again: tokens go to one host only; limits are kept, throttling is
// obeyed by everybody in its scope, and an interactive caller goes before a bulk one; busy or broken answers are asked for
// again while the caller's context allows; bodies are bounded; downloads follow a redirect without credentials, keep the
// signed address for the next range, and go on where a broken connection left them.
//
// Failures are *Error and wrap one of the kinds in package backends, unless the caller's context ended.
package rest
