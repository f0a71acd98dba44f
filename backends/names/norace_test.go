//go:build !race

package names

// slow divides the number of random cases where tests run slowly.
const slow = 1
