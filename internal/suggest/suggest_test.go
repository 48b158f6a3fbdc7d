package suggest

import "testing"

func TestNearestFindsAMistypedWordAndNoOther(t *testing.T) {
	known := []string{"run", "init", "probe", "certs", "token", "backend", "bootstrap", "list", "IS_HOST"}
	for _, tc := range []struct{ name, word, want string }{
		{"a letter is missing", "lst", "list"},
		{"a letter is too many", "certts", "certs"},
		{"a letter is wrong", "probr", "probe"},
		{"two neighbours are swapped", "lsit", "list"},
		{"a short word with two neighbours swapped", "rnu", "run"},
		{"the case differs", "Is_Host", "IS_HOST"},
		{"two letters of a long word are wrong", "bootstap", "bootstrap"},
		{"a third of a long word is wrong", "bkcend", "backend"},
		{"the word itself", "token", "token"},
		{"half of a short word is wrong", "frob", ""},
		{"two letters of five are wrong", "proxx", ""},
		{"another word of the same length", "start", ""},
		{"nothing in common", "zzzzzzzz", ""},
		{"no word", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Nearest(tc.word, known); got != tc.want {
				t.Errorf("Nearest(%q) is %q, want %q", tc.word, got, tc.want)
			}
		})
	}
}

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
