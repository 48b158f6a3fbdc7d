package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/remedy"
)

func TestSchemaPrintsTheFileInTheRepository(t *testing.T) {
	want, err := os.ReadFile("../../docs/api-config.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"schema"}, &stdout, &stderr); code != 0 || stderr.Len() > 0 || !bytes.Equal(stdout.Bytes(), want) {
		t.Errorf("exit code %d, stderr %q, %d bytes instead of %d", code, &stderr, stdout.Len(), len(want))
	}
}

func TestTheRemedyForAFileThatThisUserMayNotReadIsNoOtherFile(t *testing.T) {
	for err, want := range map[error]string{fs.ErrPermission: "let the user of this process read it", fs.ErrNotExist: "name a file that is there, or set API_CONFIG"} {
		var stdout bytes.Buffer
		got := unreadable(&desired.FileError{Path: "a.yaml", Err: fmt.Errorf("open a.yaml: %w", err)}, true, &stdout)
		if _, hints := remedy.Split(got); !slices.Equal(hints, []string{want}) || !errors.Is(got, bootstrap.ErrPermanent) || !strings.Contains(stdout.String(), want) || !strings.Contains(stdout.String(), `"file": "a.yaml"`) {
			t.Errorf("got %v and %s", got, &stdout)
		}
	}
}
