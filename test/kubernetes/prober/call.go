package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"wso2agent/internal/testenv/subscriber"
)

// call calls the subscriber's API all the time, as the client CLIENT_ID with CLIENT_SECRET, and counts what comes of it. The
// servers are called by the names of their folders on the exchange volume.
func call(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 2 {
		return errors.New("call wants the address of the token endpoint and that of the gateway")
	}
	c := subscriber.Client{
		TokenEndpoint: args[0], ID: os.Getenv("CLIENT_ID"), Secret: os.Getenv("CLIENT_SECRET"),
		Scopes: []string{subscriber.LocalScope, subscriber.SharedScope},
		Calls:  []string{args[1] + subscriber.LocalPath, args[1] + subscriber.SharedPath},
	}
	for i, client := range []**http.Client{&c.IS, &c.Gateway} {
		address, err := url.Parse(args[i])
		if err != nil {
			return err
		}
		pem, err := os.ReadFile(filepath.Join("/exchange", address.Hostname(), "certs.pem"))
		if err != nil {
			return err
		}
		if *client, err = subscriber.Trusting(pem, address.Hostname()); err != nil {
			return err
		}
	}
	var calls subscriber.Record
	go calls.Run(ctx, c)
	for told := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(500 * time.Millisecond):
		}
		refusals := calls.Refusals()
		for ; told < len(refusals); told++ {
			fmt.Fprintln(stdout, "REFUSED", refusals[told])
		}
		good, down, refused := calls.Counts()
		fmt.Fprintf(stdout, "%s good=%d down=%d refused=%d\n", time.Now().UTC().Format(time.RFC3339Nano), good, down, refused)
	}
}
