// The lz-string package behind the protocol of decode_filter.cpp, plus one more result: '?' when
// the text ran past the end of its input, which the package does not notice and we refuse.
'use strict';
const fs = require('fs');
const lz = require(process.argv[2]);

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=';

function decode(bytes) {
    const values = [...bytes].map((b) => alphabet.indexOf(String.fromCharCode(b))).filter((v) => v >= 0);
    if (values.length === 0) return ['+', ''];
    if (values[0] >> 4 === 3) return ['-', ''];   // a code before the first literal
    let overrun = false;
    const next = (index) => {
        overrun ||= index >= values.length;
        return values[index];
    };
    const text = lz._decompress(values.length, 32, next);
    if (text === null || (text === '' && overrun)) return ['-', ''];
    if (!text.isWellFormed()) return ['-', ''];
    return [overrun ? '?' : '+', text];
}

function pack(texts) {
    return texts.map((text) => lz.compressToBase64(text));
}

// In: {"pack": [text, ...], "decode": [base64 of a case, ...]} as JSON. Out: the same shape.
const asked = JSON.parse(fs.readFileSync(0, 'utf8'));
const answer = {
    pack: pack(asked.pack || []),
    decode: (asked.decode || []).map((text) => decode(Buffer.from(text, 'base64'))),
};
process.stdout.write(JSON.stringify(answer));
