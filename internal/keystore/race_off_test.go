//go:build !race

package keystore

const slowdown = 1
