package main

import (
	"bytes"
	"os"
	"testing"
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
