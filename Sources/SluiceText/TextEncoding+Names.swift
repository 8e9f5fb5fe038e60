// SPDX-License-Identifier: Apache-2.0
//
// The names of encodings: Tcl's, IANA's and those of iconv(3), many for one.
// A row begins with the canonical name.

extension TextEncoding {
    /// An encoding that the system converts.
    struct SystemName {
        /// The canonical name.
        var name: String
        /// The system's.
        var charset: String
    }

    /// The canonical name of a built-in encoding by any of its names, in small letters.
    static let builtInNames: [String: String] = {
        var names: [String: String] = [:]
        for row in builtInRows {
            let words = row.split(separator: " ").map(String.init)
            for word in words { names[word] = words[0] }
        }
        return names
    }()

    /// The encodings that the system converts and Tcl has a name for, by any of their names.
    static let charsets: [String: SystemName] = {
        var names: [String: SystemName] = [:]
        for row in systemRows {
            let words = row.split(separator: " ").map(String.init)
            let system = SystemName(name: words[0], charset: words[1])
            for word in words { names[word.lowercasedASCII] = system }
        }
        return names
    }()

    /// See ``names``.
    static let knownNames: [String] = {
        var known = Set(builtInNames.values).subtracting(["unicode"])
        for system in charsets.values where Charset.named(system.charset) != nil {
            known.insert(system.name)
        }
        return known.sorted()
    }()

    private static let builtInRows = [
        "utf-8 utf8 csutf8 identity iso-ir-193",
        "ascii us-ascii us ansi_x3.4 ansi_x3.4-1968 ansi_x3.4-1986 iso646-us iso_646.irv:1991"
            + " iso-ir-6 cp367 ibm367 csascii",
        "iso8859-1 iso-8859-1 iso88591 iso_8859-1 iso_8859-1:1987 8859_1 iso-ir-100 latin1 l1"
            + " cp819 ibm819 csisolatin1",
        "utf-16be utf16be unicodebig csutf16be",
        "utf-16le utf16le unicodelittle csutf16le",
        "utf-32be utf32be csutf32be",
        "utf-32le utf32le csutf32le",
        "unicode csunicode",
        "binary",
    ]

    /// The canonical name, the system's, and other names.
    private static let systemRows = [
        "iso8859-2 ISO-8859-2 iso88592 iso_8859-2 iso_8859-2:1987 8859_2 iso-ir-101 latin2 l2"
            + " csisolatin2 cp912 ibm912",
        "iso8859-3 ISO-8859-3 iso88593 iso_8859-3 iso_8859-3:1988 8859_3 iso-ir-109 latin3 l3"
            + " csisolatin3",
        "iso8859-4 ISO-8859-4 iso88594 iso_8859-4 iso_8859-4:1988 8859_4 iso-ir-110 latin4 l4"
            + " csisolatin4",
        "iso8859-5 ISO-8859-5 iso88595 iso_8859-5 iso_8859-5:1988 8859_5 iso-ir-144 cyrillic"
            + " csisolatincyrillic cp915 ibm915",
        "iso8859-6 ISO-8859-6 iso88596 iso_8859-6 iso_8859-6:1987 8859_6 iso-ir-127 arabic"
            + " asmo-708 ecma-114 csisolatinarabic cp1089 ibm1089",
        "iso8859-7 ISO-8859-7 iso88597 iso_8859-7 iso_8859-7:1987 iso_8859-7:2003 8859_7"
            + " iso-ir-126 greek greek8 ecma-118 elot_928 csisolatingreek cp813 ibm813",
        "iso8859-8 ISO-8859-8 iso88598 iso_8859-8 iso_8859-8:1988 8859_8 iso-ir-138 hebrew"
            + " csisolatinhebrew cp916 ibm916",
        "iso8859-9 ISO-8859-9 iso88599 iso_8859-9 iso_8859-9:1989 8859_9 iso-ir-148 latin5 l5"
            + " ts-5881 ecma-128 csisolatin5 cp920 ibm920",
        "iso8859-10 ISO-8859-10 iso885910 iso_8859-10 iso_8859-10:1992 iso-ir-157 latin6 l6"
            + " csisolatin6",
        "iso8859-11 ISO-8859-11 iso885911",
        "iso8859-13 ISO-8859-13 iso885913 iso-ir-179 latin7 l7 baltic",
        "iso8859-14 ISO-8859-14 iso885914 iso_8859-14 iso_8859-14:1998 iso-ir-199 iso-celtic"
            + " latin8 l8",
        "iso8859-15 ISO-8859-15 iso885915 iso_8859-15 iso_8859-15:1998 iso-ir-203 latin-9"
            + " latin9",
        "iso8859-16 ISO-8859-16 iso885916 iso_8859-16 iso_8859-16:2001 iso-ir-226 latin10 l10",
        "cp437 CP437 437 ibm437 cspc8codepage437",
        "cp737 CP737",
        "cp775 CP775 ibm775 cspc775baltic",
        "cp850 CP850 850 ibm850 cspc850multilingual",
        "cp852 CP852 852 ibm852 cspcp852",
        "cp855 CP855 855 ibm855 csibm855",
        "cp857 CP857 857 ibm857 csibm857",
        "cp860 CP860 860 ibm860 csibm860",
        "cp861 CP861 861 ibm861 csibm861 cp-is",
        "cp862 CP862 862 ibm862 cspc862latinhebrew",
        "cp863 CP863 863 ibm863 csibm863",
        "cp864 CP864 864 ibm864 csibm864",
        "cp865 CP865 865 ibm865 csibm865",
        "cp866 CP866 866 ibm866 csibm866",
        "cp869 CP869 869 ibm869 csibm869 cp-gr",
        "cp874 CP874 windows-874",
        "cp932 CP932 ms932 windows-31j cswindows31j sjis-open sjis-win",
        "cp936 GBK cp936 ms936 windows-936",
        "cp949 UHC cp949 mscp949",
        "cp1250 CP1250 windows-1250 ms-ee",
        "cp1251 CP1251 windows-1251 ms-cyrl",
        "cp1252 CP1252 windows-1252 ms-ansi",
        "cp1253 CP1253 windows-1253 ms-greek",
        "cp1254 CP1254 windows-1254 ms-turk",
        "cp1255 CP1255 windows-1255 ms-hebr",
        "cp1256 CP1256 windows-1256 ms-arab",
        "cp1257 CP1257 windows-1257 winbaltrim",
        "cp1258 CP1258 windows-1258",
        "koi8-r KOI8-R koi8r cskoi8r",
        "koi8-u KOI8-U koi8u",
        "tis-620 TIS-620 tis620 tis620-0 tis620.2529-1 tis620.2533-0 iso-ir-166",
        "macRoman MACINTOSH mac csmacintosh",
        "macCentEuro MAC-CENTRALEUROPE cp1282",
        "macCyrillic MAC-CYRILLIC maccyrillic mac-uk macuk macukrainian macUkraine",
        "macIceland MAC-IS macis",
        "big5 BIG5 big-5 big-five bigfive cn-big5 cp950",
        "shiftjis SJIS shift_jis shift-jis ms_kanji csshiftjis",
        "euc-jp EUC-JP eucjp ujis cseucpkdfmtjapanese",
        "euc-kr EUC-KR euckr cseuckr",
        "euc-cn EUC-CN euccn gb2312 csgb2312 cn-gb",
        "iso2022-jp ISO-2022-JP iso2022jp csiso2022jp",
        "iso2022-kr ISO-2022-KR iso2022kr csiso2022kr",
        "gb18030 GB18030",
        "utf-16 UTF-16 utf16 csutf16",
        "utf-32 UTF-32 utf32 csutf32",
    ]
}
