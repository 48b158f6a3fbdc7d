package keysfile

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// Manifest returns a Kubernetes Secret in YAML, with the variables of [Env] as its keys, so that envFrom gives a container the same
// variables. An empty namespace leaves the choice to kubectl.
//
// The values are in data, not in stringData: base64 holds every value, and kubectl apply removes a key of data that is no longer there,
// but keeps one of stringData.
func Manifest(keys []Key, name, namespace string) ([]byte, error) {
	groups, err := variables(keys)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# The agent writes this file. It has secrets, which base64 does not hide.\napiVersion: v1\nkind: Secret\nmetadata:\n  name: %q\n", name)
	if namespace != "" {
		fmt.Fprintf(&b, "  namespace: %q\n", namespace)
	}
	b.WriteString("type: Opaque\ndata:")
	if len(groups) == 0 {
		b.WriteString(" {}")
	}
	b.WriteString("\n")
	for _, g := range groups {
		for _, v := range g.variables {
			// In quotes: base64 of some values is "null", or a number.
			fmt.Fprintf(&b, "  %s: %q\n", v.name, base64.StdEncoding.EncodeToString([]byte(v.value)))
		}
	}
	return []byte(b.String()), nil
}
