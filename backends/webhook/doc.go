// Package webhook is the endpoint at which services deliver notifications: one address on the internet, below which every
// handler has a path of its own that cannot be guessed.
//
// Everybody can send requests to it, so it trusts nothing and spends little: what is not at a known path is refused before
// its body is read, bodies are bounded in size and time, floods of what is refused get 429 and never hold up what is
// accepted. It answers in time whatever the rest of the program does: a handler's Check is pure, and what it accepts waits
// in a bounded queue.
//
// It speaks https with a certificate of its own, or plain http on loopback behind a tunnel or proxy that does. A proxy makes
// all senders look alike, so the limits by sender only count what was refused.
package webhook
