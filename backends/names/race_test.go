//go:build race

package names

// slow divides the number of random cases: the race detector makes pure code ten times slower and has nothing to find in it.
const slow = 10
