package trust

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAnApprovalIsKeptAndADamagedOneIsNamed(t *testing.T) {
	dir := t.TempDir()
	if v, err := LoadApproval(dir); err != nil || v != (Approval{}) {
		t.Errorf("without an approval: %+v, %v", v, err)
	}
	said := Approval{Generation: "g", Answer: Denied, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	if err := said.Save(dir); err != nil {
		t.Fatal(err)
	}
	if v, err := LoadApproval(dir); err != nil || v != said {
		t.Errorf("%+v, %v, want %+v", v, err, said)
	}
	path := filepath.Join(dir, approvalFile)
	for content, want := range map[string]string{"no JSON": path, `{"generation": "g", "answer": "deny"}`: `the answer is "deny": want approved, now or denied`} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if v, err := LoadApproval(dir); err == nil || v != (Approval{}) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v", content, v, err)
		}
	}
}
