package bootstrap

import (
	"cmp"
	"fmt"
	"slices"
)

// APIName identifies an API on a server.
type APIName struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// String returns the quoted name and the version, for messages.
func (a APIName) String() string { return fmt.Sprintf("%q %s", a.Name, a.Version) }

// Names returns the APIs of the file and more, each once and in order.
func (d *Desired) Names(more []APIName) []APIName {
	names := slices.Clone(more)
	for _, api := range d.APIs {
		names = append(names, APIName{api.Name, api.Version})
	}
	slices.SortFunc(names, func(a, b APIName) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	return slices.Compact(names)
}

// findLeftOver finds the APIs of earlier runs that are on the server and no longer in the file.
func (r *run) findLeftOver() {
	r.result.LeftOver = nil
	desired := r.desired.Names(nil)
	for _, name := range r.Known {
		if r.apis[name] != "" && !slices.Contains(desired, name) {
			r.result.LeftOver = append(r.result.LeftOver, name)
		}
	}
}
