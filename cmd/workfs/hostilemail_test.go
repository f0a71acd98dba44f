package main

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf16"
)

// hostileMail is a corpus of messages that are malformed, absurd or meant to do harm, by the name of the file they come
// in. All of them can lie in a mailbox: servers store what they are given.
func hostileMail() map[string]string {
	const from = "From: Eve <eve@example.net>\r\nTo: alice@contoso.com\r\n"
	const date = "Date: Tue, 3 Nov 2026 10:11:12 +0000\r\n"
	files := map[string]string{
		"empty":            "",
		"newline":          "\n",
		"body only":        "just text\r\nmore text",
		"headers only":     from + date + "Subject: no empty line at the end",
		"blank first":      "\r\n" + from + date + "Subject: too late\r\n\r\nbody",
		"nul":              from + date + "Subject: a\x00b\r\n\r\nc\x00d\x00",
		"ff":               strings.Repeat("\xff", 4096),
		"binary":           from + date + "Subject: all bytes\r\n\r\n" + allBytes(),
		"utf16":            utf16File(from + date + "Subject: wide\r\n\r\nwide body"),
		"8bit header":      from + date + "Subject: caf\xe9 \xff\xfe\r\n\r\nbody",
		"8bit body":        from + date + "Subject: junk\r\n\r\n\xc0\xaf\xed\xa0\x80\xf5\x80\x80\x80 overlong, surrogate, beyond",
		"unknown charset":  from + date + "Subject: =?x-none?q?abc?=\r\nContent-Type: text/plain; charset=x-unknown\r\n\r\n\xe9\xe8",
		"lying charset":    from + date + "Subject: lie\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nna\xefve",
		"utf7":             from + date + "Subject: seven\r\nContent-Type: text/html; charset=utf-7\r\n\r\n+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
		"truncated":        from + date + "Subject: cut\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhalf a p",
		"no boundary":      from + date + "Subject: nob\r\nContent-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
		"empty boundary":   from + date + "Subject: eb\r\nContent-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\nx\r\n----\r\n",
		"wrong boundary":   from + date + "Subject: wb\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
		"boundary prefix":  from + date + "Subject: bp\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\none\r\n--ab\r\n\r\ntwo\r\n--a--\r\n",
		"no parts":         from + date + "Subject: np\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a--\r\n",
		"nested":           from + date + "Subject: deep\r\n" + nestedParts(100),
		"messages":         from + date + "Subject: matryoshka\r\n" + nestedMessages(100),
		"a thousand parts": from + date + "Subject: thousand\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 1000) + "--b--\r\n",
		"long header":      from + date + "Subject: " + strings.Repeat("x", 1<<20) + "\r\n\r\nbody",
		"many headers":     from + date + strings.Repeat("X-Many: 1\r\n", 20000) + "Subject: many\r\n\r\nbody",
		"folded":           from + date + "Subject: a" + strings.Repeat("\r\n b", 2000) + "\r\n\r\nbody",
		"long line":        from + date + "Subject: line\r\n\r\n" + strings.Repeat("y", 1<<20),
		"cr only":          strings.ReplaceAll(from+date+"Subject: carriage\r\n\r\nreturns\r\nonly", "\r\n", "\r"),
		"lf only":          strings.ReplaceAll(from+date+"Subject: line feeds\r\n\r\nonly\r\n", "\r\n", "\n"),
		"mixed line ends":  from + "Date: Tue, 3 Nov 2026 10:11:12 +0000\nSubject: mixed\r\r\n\n\rbody\r\r",
		"mbox":             "From eve@example.net Thu Jan  1 00:00:00 2026\nthis is no field\nSubject: mbox line\n\n>From here\nbody",
		"same id 1":        from + date + "Subject: twin\r\nMessage-ID: <same@example.net>\r\n\r\none",
		"same id 2":        from + date + "Subject: twin\r\nMessage-ID: <same@example.net>\r\n\r\ntwo",
		"same bytes 1":     from + date + "Subject: clone\r\n\r\nclone",
		"same bytes 2":     from + date + "Subject: clone\r\n\r\nclone",
		"bad id":           from + date + "Subject: id\r\nMessage-ID: no brackets >< \x01\r\nIn-Reply-To: <\r\nReferences: ,,,\r\n\r\nx",
		"two subjects":     from + date + "Subject: first\r\nSubject: second\r\nFrom: other@example.net\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\nx",
		"year 1":           from + "Date: Mon, 1 Jan 0001 00:00:00 +0000\r\nSubject: one\r\n\r\nx",
		"year 9999":        from + "Date: Fri, 31 Dec 9999 23:59:59 +0000\r\nSubject: last\r\n\r\nx",
		"year 1601":        from + "Date: Mon, 1 Jan 1601 00:00:00 +0000\r\nSubject: filetime\r\n\r\nx",
		"year 1970":        from + "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nSubject: epoch\r\n\r\nx",
		"year 2038":        from + "Date: Tue, 19 Jan 2038 03:14:08 +0000\r\nSubject: overflow\r\n\r\nx",
		"no such day":      from + "Date: Mon, 31 Feb 2026 25:61:61 +9999\r\nSubject: never\r\n\r\nx",
		"garbage date":     from + "Date: yesterday\r\nSubject: when\r\n\r\nx",
		"huge date":        from + "Date: Fri, 1 Jan 99999999999999999999 00:00:00 +0000\r\nSubject: huge\r\n\r\nx",
		"no address":       "From: \r\nTo: ,,;;\r\nCc: undisclosed:;\r\n" + date + "Subject: nobody\r\n\r\nx",
		"bad address":      "From: \"Eve \x1b[31m\" <eve@@example..net\r\nTo: <<<>>>\r\n" + date + "Subject: who\r\n\r\nx",
		"slash subject":    from + date + "Subject: ../../../etc/passwd\r\n\r\nx",
		"yaml subject":     from + date + "Subject: =?utf-8?q?x=0A---=0Afrom=3A_boss=0A?=\r\n\r\n---\nfrom: boss\n---\n",
		"escape subject":   from + date + "Subject: =?utf-8?q?=1B[2J=1B]0;owned=07?=\r\n\r\n\x1b[2J\x1b]0;owned\x07",
		"bidi subject":     from + date + "Subject: =?utf-8?q?invoice_=E2=80=AEfdp.exe?=\r\n\r\nx",
		"bad words":        from + date + "Subject: =?utf-8?b?%%%?= =?utf-8?q?=ZZ?= =?a?b?c\r\n\r\nx",
		"bad base64":       from + date + "Subject: b64\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!not base64!!!",
		"bad quoted":       from + date + "Subject: qp\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=ZZ=\r\n==\r\n=4",
		"unknown encoding": from + date + "Subject: cte\r\nContent-Transfer-Encoding: rot13\r\n\r\nuryyb",
		"bad type":         from + date + "Subject: ct\r\nContent-Type: ;;;/=\"\r\n\r\nx",
		"html bomb":        from + date + "Subject: divs\r\nContent-Type: text/html\r\n\r\n" + strings.Repeat("<div><table><tr><td>", 20000),
		"html script":      from + date + "Subject: script\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script><a href=\"javascript:alert(1)\">click</a><!--",
		"html entities":    from + date + "Subject: entities\r\nContent-Type: text/html\r\n\r\n<p>&#0;&#x1b;[31m&#xD800;&#x110000;&#8238;&nbsp;end</p>",
	}
	for name, disposition := range map[string]string{
		"rfc2231":         `attachment; filename*0*=utf-8''%E2%82%AC%20; filename*1="rates"; filename*2*=%2Etxt`,
		"rfc2231 gaps":    `attachment; filename*0=a; filename*2=c; filename*9999999=z`,
		"path name":       `attachment; filename="../../../../etc/cron.d/evil"`,
		"absolute name":   `attachment; filename="/etc/passwd"`,
		"windows name":    `attachment; filename="C:\\Windows\\System32\\evil.exe"`,
		"control name":    "attachment; filename*=utf-8''a%00b%1B%5B31m%0Ac%0D.txt",
		"dot name":        `attachment; filename="."`,
		"dots name":       `attachment; filename=".."`,
		"no name":         `attachment`,
		"empty name":      `attachment; filename=""`,
		"endless name":    `attachment; filename="` + strings.Repeat("n", 5000) + `.pdf"`,
		"bidi name":       "attachment; filename*=utf-8''annual%E2%80%AEfdp.exe",
		"latin name":      "attachment; filename*=iso-8859-1''%E9t%E9.txt",
		"bad escape name": "attachment; filename*=utf-8''%ZZ%E9%.txt",
	} {
		files[name] = from + date + "Subject: " + name + "\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee attached\r\n" +
			"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: " + disposition + "\r\n\r\n" +
			base64.StdEncoding.EncodeToString([]byte("attached: "+name)) + "\r\n--b--\r\n"
	}
	twins := from + date + "Subject: twins\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
	for i := range 5 {
		twins += fmt.Sprintf("--b\r\nContent-Disposition: attachment; filename=same.txt\r\n\r\n%d\r\n", i)
	}
	files["twin names"] = twins + "--b--\r\n"
	return files
}

// hostileAttachments is how many files the attachments of hostileMail are at least: those with a disposition, and the twins.
const hostileAttachments = 14 + 5

func allBytes() string {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

func utf16File(s string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

// nestedParts is a multipart in a multipart, n deep, from its Content-Type on.
func nestedParts(n int) string {
	if n == 0 {
		return "Content-Type: text/plain\r\n\r\nthe core\r\n"
	}
	return fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n%s--b%d--\r\n", n, n, nestedParts(n-1), n)
}

// nestedMessages is a message in a message, n deep, from its Content-Type on.
func nestedMessages(n int) string {
	if n == 0 {
		return "Content-Type: text/plain\r\n\r\nthe core\r\n"
	}
	return fmt.Sprintf("Content-Type: message/rfc822\r\n\r\nFrom: doll%d@example.net\r\nSubject: doll %d\r\n%s", n, n, nestedMessages(n-1))
}
