package main

import (
	"context"
	"fmt"
	"io"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
)

// keysLimit is the most that a keys file may hold, in bytes.
const keysLimit = 1 << 20

// keysCommand prints the application's keys, secret and all: the image has no program that could show a file, and a
// cluster none that could copy one out of it.
func keysCommand(_ context.Context, args []string, stdout, _ io.Writer) error {
	if len(args) > 0 {
		return usageError{"agent keys takes no arguments: KEYS_FILE names the file"}
	}
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	keys, err := file.Read(cfg.KeysFile, keysLimit)
	if err != nil {
		return fmt.Errorf("read the application's keys: %w; bootstrap writes them, where KEYS_FILE says", err)
	}
	_, err = stdout.Write(keys)
	return err
}
