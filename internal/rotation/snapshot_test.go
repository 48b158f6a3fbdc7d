package rotation

import "testing"

func TestTheGenerationChangesWithEverythingAServerReads(t *testing.T) {
	a, b := modelCertificate("AA:AA:AA:AA:AA"), modelCertificate("BB:BB:BB:BB:BB")
	base := Generation(1, a, []byte("x"))
	if Generation(1, a, []byte("x")) != base {
		t.Error("the same state has two generations")
	}
	if !RunsWith(base, a) || RunsWith(base, b) || RunsWith("", a) {
		t.Error("a generation does not tell which certificate it is of")
	}
	for what, other := range map[string]string{
		"another own certificate":            Generation(1, b, []byte("x")),
		"one with the same first digits":     Generation(1, modelCertificate("AA:AA:AA:AA:BB"), []byte("x")),
		"other settings":                     Generation(1, a, []byte("y")),
		"another addition to the truststore": Generation(2, a, []byte("x")),
		"no settings":                        Generation(1, a, nil),
	} {
		if other == base {
			t.Errorf("%s: the same generation", what)
		}
	}
}
