// Command verify checks a log's checkpoint, proofs, tiles and entries with golang.org/x/mod/sumdb alone: an
// implementation that shares no code with the one that made them.
//
// It reads FILE, a JSON object of the type input below, and a folder of tiles beside it, and prints what it checked. It
// exits with 1 at the first thing that does not hold.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type input struct {
	VerifierKey string `json:"verifier_key"`
	// SignerKey is a key made for this check only; Go must read it as the same key, and sign the same. Left out where
	// another key signed the checkpoint too.
	SignerKey   string        `json:"signer_key"`
	Checkpoint  string        `json:"checkpoint"`
	TilesFolder string        `json:"tiles_folder"`
	Inclusion   []inclusion   `json:"inclusion"`
	Consistency []consistency `json:"consistency"`
}

type inclusion struct {
	Index int64    `json:"index"`
	Size  int64    `json:"size"`
	Leaf  string   `json:"leaf_hash"`
	Root  string   `json:"root"`
	Path  []string `json:"path"`
}

type consistency struct {
	OldSize int64    `json:"old_size"`
	NewSize int64    `json:"new_size"`
	OldRoot string   `json:"old_root"`
	NewRoot string   `json:"new_root"`
	Path    []string `json:"path"`
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

func check(err error, what string, arguments ...any) {
	if err != nil {
		fail("%s: %v", fmt.Sprintf(what, arguments...), err)
	}
}

func hash(text string) (h tlog.Hash) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) {
		fail("not a hash: %q", text)
	}
	copy(h[:], b)
	return h
}

func hashes(texts []string) (all []tlog.Hash) {
	for _, text := range texts {
		all = append(all, hash(text))
	}
	return all
}

// tilesFolder reads tiles by the paths of C2SP tlog-tiles, which leave out the height that tlog's own paths name.
type tilesFolder string

func (f tilesFolder) Height() int { return 8 }

func (f tilesFolder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f tilesFolder) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		b, err := os.ReadFile(filepath.Join(string(f), path))
		if err != nil {
			return nil, err
		}
		data = append(data, b)
	}
	return data, nil
}

// signerOf reads the signer key, if there is one, which must be that of the verifier key.
func signerOf(in input, verifier note.Verifier) note.Signer {
	if in.SignerKey == "" {
		return nil
	}
	signer, err := note.NewSigner(in.SignerKey)
	check(err, "signer key")
	if signer.Name() != verifier.Name() || signer.KeyHash() != verifier.KeyHash() {
		fail("the signer key is not that of the verifier key")
	}
	return signer
}

func treeOf(in input) tlog.Tree {
	verifier, err := note.NewVerifier(in.VerifierKey)
	check(err, "verifier key")
	signer := signerOf(in, verifier)
	opened, err := note.Open([]byte(in.Checkpoint), note.VerifierList(verifier))
	check(err, "checkpoint")
	if signer != nil {
		again, err := note.Sign(&note.Note{Text: opened.Text}, signer)
		check(err, "signing")
		if !bytes.Equal(again, []byte(in.Checkpoint)) {
			fail("the checkpoint signed by Go differs")
		}
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		fail("checkpoint: not origin, size and root: %q", opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err, "checkpoint size")
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err, "checkpoint root")
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree
}

// readEntries checks that every entry hashes to its leaf, which the reader ties to the checkpoint's root.
func readEntries(in input, tree tlog.Tree, reader tlog.HashReader) {
	for start := int64(0); start < tree.N; start += 256 {
		width := tree.N - start
		if width > 256 {
			width = 256
		}
		tile := tlog.Tile{H: 8, L: 0, N: start / 256, W: int(width)}
		path := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
		bundle, err := os.ReadFile(filepath.Join(in.TilesFolder, path))
		check(err, "entries %s", path)
		indexes := make([]int64, width)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, start+int64(i))
		}
		leaves, err := reader.ReadHashes(indexes)
		check(err, "leaves from %d", start)
		for i, leaf := range leaves {
			at := start + int64(i)
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				fail("entries %s end at %d", path, at)
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			if tlog.RecordHash(bundle[2:end]) != leaf {
				fail("entry %d is not its leaf", at)
			}
			bundle = bundle[end:]
		}
		if len(bundle) != 0 {
			fail("entries %s go on after the last", path)
		}
	}
}

func main() {
	if len(os.Args) != 2 {
		fail("usage: verify FILE")
	}
	text, err := os.ReadFile(os.Args[1])
	check(err, "reading")
	var in input
	check(json.Unmarshal(text, &in), "JSON")
	tree := treeOf(in)
	reader := tlog.TileHashReader(tree, tilesFolder(in.TilesFolder))

	for _, p := range in.Inclusion {
		check(tlog.CheckRecord(hashes(p.Path), p.Size, hash(p.Root), p.Index, hash(p.Leaf)), "inclusion of %d in %d", p.Index, p.Size)
		if p.Size == tree.N {
			made, err := tlog.ProveRecord(p.Size, p.Index, reader)
			check(err, "proving %d in %d from tiles", p.Index, p.Size)
			if fmt.Sprint(made) != fmt.Sprint(tlog.RecordProof(hashes(p.Path))) {
				fail("the proof of %d in %d that Go makes from the tiles differs", p.Index, p.Size)
			}
		}
	}
	for _, p := range in.Consistency {
		check(tlog.CheckTree(hashes(p.Path), p.NewSize, hash(p.NewRoot), p.OldSize, hash(p.OldRoot)), "consistency from %d to %d", p.OldSize, p.NewSize)
		if p.NewSize == tree.N {
			made, err := tlog.ProveTree(p.NewSize, p.OldSize, reader)
			check(err, "proving %d to %d from tiles", p.OldSize, p.NewSize)
			if fmt.Sprint(made) != fmt.Sprint(tlog.TreeProof(hashes(p.Path))) {
				fail("the proof from %d to %d that Go makes from the tiles differs", p.OldSize, p.NewSize)
			}
		}
	}
	readEntries(in, tree, reader)
	fmt.Printf("checkpoint of %d entries, %d inclusion proofs, %d consistency proofs, tiles and entries hold\n", tree.N, len(in.Inclusion), len(in.Consistency))
}
