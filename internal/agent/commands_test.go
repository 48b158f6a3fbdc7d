package agent

import (
	"bytes"
	"os"
	"testing"

	"wso2agent/internal/config"
)

func TestAPassForAPersonDoesWhatASidecarDoes(t *testing.T) {
	p := newPlace(t)
	store := p.agent(config.AM).cfg.TruststorePath()
	original, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	p.initBoth()
	imported, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(store, original, 0o640); err != nil { // somebody restores the volume
		t.Fatal(err)
	}
	p.started(config.AM, "former")
	for _, when := range []string{"first", "again"} {
		a := p.agent(config.AM)
		if err := a.Pass(t.Context()); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		wanted, err := a.control().Wanted()
		now, readErr := os.ReadFile(store)
		if err != nil || readErr != nil || wanted == "" || wanted == "former" || bytes.Equal(now, original) {
			t.Errorf("%s: requested %q, the truststore is as before: %v; %v, %v", when, wanted, bytes.Equal(now, original), err, readErr)
		}
		if when == "again" && !bytes.Equal(now, imported) {
			t.Errorf("another pass changes the truststore")
		}
		imported = now
	}
}
