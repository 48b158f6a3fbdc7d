package suggest

import "testing"

func TestHintNamesTheNearestWordOrAll(t *testing.T) {
	known := []string{"context", "version", "backend_url"}
	for word, want := range map[string]string{
		"contxt":      `: did you mean "context"?`,
		"Backend_URL": `: did you mean "backend_url"?`,
		"zzzzzzzz":    ": known are context, version, backend_url",
	} {
		if got := Hint(word, known); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
	if got := Hint("x", nil); got != "" {
		t.Errorf("with nothing known: %q", got)
	}
}
