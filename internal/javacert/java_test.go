package javacert_test

import (
	"bufio"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"wso2agent/internal/javacert"
)

// The bits of an answer of testdata/Certificates.java.
const (
	allOfJava   = 15
	loadsStores = 6
)

// javaJudges asks Java about certificates; answer is called for each, in their order.
func javaJudges(t *testing.T, ders func(yield func([]byte) bool), answer func(der []byte, verdict byte)) {
	t.Helper()
	cmd := exec.Command(java(t), "testdata/Certificates.java")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	const inFlight = 4096
	asked := make(chan []byte, inFlight)
	go func() {
		w := bufio.NewWriterSize(in, 1<<16)
		for der := range ders {
			asked <- der
			binary.Write(w, binary.BigEndian, uint32(len(der)))
			w.Write(der)
			if len(asked) > inFlight/2 {
				w.Flush()
			}
		}
		w.Flush()
		in.Close()
		close(asked)
	}()
	r := bufio.NewReader(out)
	for der := range asked {
		verdict, err := r.ReadByte()
		if err != nil {
			t.Fatalf("Java does not answer: %v", err)
		}
		if verdict > allOfJava { // such as that it has no memory
			text, _ := io.ReadAll(io.LimitReader(r, 1000))
			t.Fatalf("Java says %c%s", verdict, text)
		}
		answer(der, verdict)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("Java answers more than was asked: %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func asPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// TestJavaReadsWhatIsAccepted compares Check with the Java on the PATH, or JAVA, over mutants of certificates: as many as
// JAVACERT_MUTANTS says (make java-certificates: a million). Whatever Check accepts Java must read, in the two formats of
// keystores too, and whatever Check calls refused by Java it must refuse.
func TestJavaReadsWhatIsAccepted(t *testing.T) {
	count, seed := 6000, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("JAVACERT_MUTANTS")); err == nil {
		count = n
	}
	if n, err := strconv.ParseUint(os.Getenv("JAVACERT_SEED"), 10, 64); err == nil {
		seed = n
	}
	var ders [][]byte
	for _, c := range javacert.Corpus(t) {
		ders = append(ders, c.DER, c.DER, c.DER) // as many as the others, of which there are more
	}
	ders = append(ders, javaCAs(t)...)
	ders = append(ders, productCertificates(t)...)
	m := javacert.Mutator{Rand: rand.New(rand.NewPCG(seed, seed)), Corpus: ders}
	var n struct{ accepted, refused, unlisted, unlistedJavaTakes, goAlone, wrong int }
	skipped := 0
	javaJudges(t, func(yield func([]byte) bool) {
		for i := range count {
			der := m.Next()
			// What is not on the list is asked about for the numbers alone, and takes Java longest.
			if i%10 > 0 && errors.Is(javacert.Check(der), javacert.ErrUnlisted) {
				skipped++
				continue
			}
			if !yield(der) {
				return
			}
		}
	}, func(der []byte, verdict byte) {
		err := javacert.Check(der)
		if _, err := x509.ParseCertificate(der); err == nil && verdict != allOfJava {
			n.goAlone++
		}
		switch {
		case err == nil && verdict != allOfJava:
			n.wrong++
			if n.wrong < 10 {
				t.Errorf("accepted, and Java says %d to\n%s", verdict, asPEM(der))
			}
		case err == nil:
			n.accepted++
		case errors.Is(err, javacert.ErrRefused):
			n.refused++
			if verdict&loadsStores != 0 {
				n.wrong++
				if n.wrong < 10 {
					t.Errorf("%v\nand Java says %d to\n%s", err, verdict, asPEM(der))
				}
			}
		default:
			n.unlisted++
			if verdict == allOfJava {
				n.unlistedJavaTakes++
			}
		}
	})
	t.Logf("%d mutants: %d accepted, %d refused by Java, %d not on the list (Java takes %d of %d of these); of the %d that Java was asked about it refuses %d that Go takes; %d wrong",
		count, n.accepted, n.refused, n.unlisted+skipped, n.unlistedJavaTakes, n.unlisted, count-skipped, n.goAlone, n.wrong)
	if n.accepted < count/10 || n.refused == 0 || n.unlisted < count/100 || n.goAlone < count/1000 {
		t.Error("the mutants are too much alike to show anything")
	}
}

func TestJavaReadsTheCorpus(t *testing.T) {
	all := javacert.Corpus(t)
	i := 0
	javaJudges(t, func(yield func([]byte) bool) {
		for _, c := range all {
			if !yield(c.DER) {
				return
			}
		}
	}, func(der []byte, verdict byte) {
		if verdict != allOfJava {
			t.Errorf("%s: Java says %d to\n%s", all[i].Name, verdict, asPEM(der))
		}
		i++
	})
}
