// The values that must come back as they went, and from where JavaScript cannot know better.
// SPDX-License-Identifier: MIT

function nested(depth) {
    return depth === 0 ? ['bottom'] : { deeper: [nested(depth - 1)] };
}

/** Name and value; each is tried alone and all of them together. */
export const values = {
    'small integers': [0, 1, 23, 24, 127, 128, 255, 256, 65535, 65536],
    'negative integers': [-1, -24, -25, -32, -33, -128, -129, -32768, -32769, -2147483648,
        -2147483649],
    'large integers': [2147483647, 2147483648, 4294967295, 4294967296, 1e15],
    'integers up to 2^53': [2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 53, -(2 ** 53)],
    'floats': [0.5, -1.25, 0.1, 3.141592653589793, 1e300, -1e-300, 5e-324, 1.7976931348623157e308],
    'unicode': ['', 'plain', 'grüße', 'здравствуйте', '日本語', '👩‍🚀🎉', '"\\/\b\f\n\r\t',
        '\u2028\u2029', 'x'.repeat(300)],
    'null and booleans': [null, true, false],
    'empty list and dict': [[], {}, [[]], [{}], { a: [] }, { a: {} }],
    'nested': [nested(20), [[1, [2, [3, [4]]]], { a: { b: { c: [{ d: null }] } } }]],
    'unusual keys': [{ '': 1, 'with space': 2, 'ключ': 3, 'a.b': 4, '1': 5 }],
};

export const everything = Object.values(values);

/** Octets, for the serializers of a client that know them. */
export const octets = [Buffer.alloc(0), Buffer.from([0]), Buffer.from('00ff10fe7f80', 'hex'),
    Buffer.alloc(70000, 0xa5)];

/** Ids as numbers: wampy's MessagePack reads long integers as BigInt. */
export function numbers(value) {
    if (typeof value === 'bigint') {
        return Number(value);
    }
    if (Array.isArray(value)) {
        return value.map(numbers);
    }
    if (value !== null && typeof value === 'object' && !ArrayBuffer.isView(value)) {
        return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, numbers(v)]));
    }
    return value;
}
