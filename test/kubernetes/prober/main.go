// Command prober connects to servers again and again, as their peers do, and counts the handshakes that a peer would have
// refused. The container's log is its result.
//
//	prober HOST:PORT=PEER...
//	prober call TOKEN_ENDPOINT GATEWAY
//
// Each server presents a certificate. PEER is who connects to it: it must trust that certificate, by what its agent says of
// the running server on the exchange volume. The second form calls an API as its subscriber: see call.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	do, args := run, os.Args[1:]
	if len(args) > 0 && args[0] == "call" {
		do, args = call, args[1:]
	}
	if err := do(ctx, args, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "prober:", err)
		os.Exit(2)
	}
}

// counts are the outcomes so far.
type counts struct{ done, failed, down int }

func run(ctx context.Context, targets []string, stdout io.Writer) error {
	var n counts
	said := time.Now()
	seen := map[string]string{}
	for ctx.Err() == nil {
		for _, target := range targets {
			address, peer, ok := strings.Cut(target, "=")
			if !ok {
				return fmt.Errorf("%q is not HOST:PORT=PEER", target)
			}
			before := trusted(peer)
			fingerprint, whose, err := presented(ctx, address)
			switch {
			case fingerprint != "" && !slices.Contains(before, fingerprint) && !slices.Contains(trusted(peer), fingerprint):
				n.failed++
				fmt.Fprintf(stdout, "FAILED %s presents %s (%s), which the running %s does not trust\n", address, fingerprint, whose, peer)
			case fingerprint != "":
				n.done++
			case isDown(err):
				n.down++
			default:
				n.failed++
				fmt.Fprintf(stdout, "FAILED %s: %v\n", address, err)
			}
			if fingerprint != "" && seen[address] != fingerprint {
				seen[address] = fingerprint
				fmt.Fprintf(stdout, "%s presents %s\n", address, fingerprint)
			}
		}
		if time.Since(said) > time.Second {
			said = time.Now()
			fmt.Fprintf(stdout, "handshakes=%d failed=%d down=%d\n", n.done, n.failed, n.down)
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// trusted are the fingerprints that the running peer trusts; none while they cannot be read.
func trusted(peer string) []string {
	var said struct{ Fingerprints []string }
	data, err := os.ReadFile(filepath.Join("/exchange", peer, "trusts.json"))
	if err != nil || json.Unmarshal(data, &said) != nil {
		return nil
	}
	return said.Fingerprints
}

// presented returns the fingerprint of the certificate that the server presents, to be compared with those that are trusted,
// and its subject, issuer and time for the log.
func presented(ctx context.Context, address string) (fingerprint, whose string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, // the fingerprint is compared with those that are trusted
		VerifyConnection: func(s tls.ConnectionState) error {
			leaf := s.PeerCertificates[0]
			whose = fmt.Sprintf("subject %s, issuer %s, from %s, at %s", leaf.Subject, leaf.Issuer, leaf.NotBefore.UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339))
			sum := sha256.Sum256(leaf.Raw)
			fingerprint = strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
			return nil
		},
	}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", "", err
	}
	return fingerprint, whose, conn.Close()
}

// isDown tells whether there was no server, or none any more, to shake hands with.
func isDown(err error) bool {
	var timeout net.Error
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EHOSTUNREACH) ||
		errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) || errors.As(err, &timeout) && timeout.Timeout()
}
