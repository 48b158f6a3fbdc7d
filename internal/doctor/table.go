package doctor

import "slices"

// Troubles returns the table of troubles. docs/troubleshooting.md is made from it. Names and symptoms come from the troubleshooting
// section of the integration guide and from public issue trackers; what recognizes them from the products' answers, which were
// recorded, and from the log lines in logs.go.
func Troubles() []Trouble {
	return slices.Concat(serverTroubles(), trustTroubles(), keyManagerTroubles(), keyTroubles(), settingsTroubles(), scopeTroubles(), apiTroubles(), volumeTroubles())
}
