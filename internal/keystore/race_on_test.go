//go:build race

package keystore

// slowdown is what the race detector costs.
const slowdown = 10
