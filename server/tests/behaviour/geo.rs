//! Places on the earth: adding, asking, searching.

use crate::behaviour;

behaviour! {
    geo_members r#"
        GEOADD k 13.361389 38.115556 Palermo 15.087269 37.502669 Catania -> 2
        GEOADD k 13.361389 38.115556 Palermo -> 0
        TYPE k -> +zset
        ZSCORE k Palermo -> "3479099956230698"
        GEOPOS k Palermo nope -> [["13.36138933897018433", "38.11555639549629859"], (nil array)]
        GEOPOS k -> []
        GEOPOS missing x -> [(nil array)]
        GEODIST k Palermo Catania -> "166274.1516"
        GEODIST k Palermo Catania KM -> "166.2742"
        GEODIST k Palermo Catania mi -> "103.3182"
        GEODIST k Palermo Catania ft -> "545518.8700"
        GEODIST k Palermo Palermo -> "0.0000"
        GEODIST k Palermo nope -> (nil)
        GEODIST missing a b -> (nil)
        GEOHASH k Palermo nope Catania -> ["sqc8b49rny0", (nil), "sqdtr74hyu0"]
        GEOHASH missing a -> [(nil)]
        GEOHASH k -> []
        GEOADD k XX CH 13.361389 39 Palermo 1 1 new -> 1
        ZSCORE k new -> (nil)
        GEOADD k NX CH 13.361389 38 Palermo 1 1 new -> 1
        GEOADD k CH 13.361389 38 Palermo 1 1 new 2 2 twice 3 3 twice -> 3
        GEOPOS k twice -> [["2.99999982118606567", "3.00000091215010656"]]
        GEOADD edge 180 -85.05112878 a -180 85.05112878 b 0 0 zero -> 3
        GEOPOS edge a b zero -> [["180", "-85.05112751263942528"], ["-179.99999731779098511", "85.0511287799999991"], ["0.00000268220901489", "0.00000126736058093"]]
        GEOHASH edge a b -> ["00bh0hbj200", "bp05b5048p0"]
    "#

    geo_of_scores_that_are_no_places r#"
        ZADD w -1 neg 4503599627370496 top 1e17 big inf inf -inf minf 1.5 frac 1e19 huge -> 7
        GEOHASH w neg top big inf minf frac huge -> ["bp05b5048p0", "bp05b5048p0", "bp05b5048p0", "00bh0hbj200", "00bh0hbj200", "00bh0hbj210", "bp05b5048p0"]
        GEODIST w neg big -> "0.0000"
        GEORADIUSBYMEMBER w big 100 km WITHDIST -> []
    "#

    geoadd_errors r#"
        GEOADD k NX XX 1 1 a -> -ERR syntax error
        GEOADD k NX XX CH -> -ERR syntax error
        GEOADD k NX CH CH -> -ERR syntax error
        GEOADD k NX CH 1 2 -> -ERR syntax error
        GEOADD k 1 100 a -> -"ERR invalid longitude,latitude pair 1.000000,100.000000"
        GEOADD k 1 86 a -> -"ERR invalid longitude,latitude pair 1.000000,86.000000"
        GEOADD k 180.0001 1 a -> -"ERR invalid longitude,latitude pair 180.000100,1.000000"
        GEOADD k 1 1 a inf 1 b -> -"ERR invalid longitude,latitude pair inf,1.000000"
        GEOADD k x 1 a -> -ERR value is not a valid float
        GEOADD k nan 1 a -> -ERR value is not a valid float
        EXISTS k -> 0
        SET s v -> +OK
        GEOADD s x y a -> -ERR value is not a valid float
        GEOADD s 1 1 a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        GEOPOS s -> -WRONGTYPE Operation against a key holding the wrong kind of value
        GEOHASH s a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        GEODIST s a b -> -WRONGTYPE Operation against a key holding the wrong kind of value
        GEODIST s a b xx -> -"ERR unsupported unit provided. please use M, KM, FT, MI"
        GEODIST s a b km x -> -ERR syntax error
    "#

    geosearch_finds_what_is_near r#"
        GEOADD k 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.758489 38.788135 edge1 17.241510 38.788135 edge2 -> 4
        GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200 km ASC -> ["Catania", "Palermo"]
        GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200 km DESC -> ["Palermo", "Catania"]
        GEOSEARCH k FROMLONLAT 15 37 BYBOX 400 400 km ASC -> ["Catania", "Palermo", "edge2", "edge1"]
        GEOSEARCH k FROMLONLAT 15 37 BYBOX 400 300 km ASC -> ["Catania", "Palermo"]
        GEOSEARCH k FROMMEMBER Catania BYRADIUS 250 km ASC COUNT 2 -> ["Catania", "Palermo"]
        GEOSEARCH k FROMMEMBER Catania BYRADIUS 250 km COUNT 1 -> ["Catania"]
        GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1 ANY WITHDIST -> [["Palermo", "190.4424"]]
        GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHDIST WITHHASH WITHCOORD -> [["Catania", "56.4413", 3479447370796909, ["15.08726745843887329", "37.50266842333162032"]], ["Palermo", "190.4424", 3479099956230698, ["13.36138933897018433", "38.11555639549629859"]]]
        GEOSEARCH k FROMLONLAT -150 -37 BYRADIUS 200 km -> []
        GEOSEARCH missing FROMMEMBER Palermo BYBOX 1 1 m -> []
        GEORADIUS k 15 37 200 km WITHDIST ASC -> [["Catania", "56.4413"], ["Palermo", "190.4424"]]
        GEORADIUS_RO k 15 37 200 km COUNT 1 -> ["Catania"]
        GEORADIUSBYMEMBER k Palermo 200 km DESC -> ["Catania", "edge1", "Palermo"]
        GEORADIUSBYMEMBER_RO k Palermo 0 m WITHDIST -> [["Palermo", "0.0000"]]
        GEORADIUSBYMEMBER missing nope x y -> []
        GEORADIUS k 0 0 inf m ASC COUNT 1 -> ["Catania"]
    "#

    geosearch_over_the_date_line_and_near_a_pole r#"
        GEOADD k 179.9 0 east -179.9 0 west 100 84 north -80 84 behind -> 4
        GEOSEARCH k FROMLONLAT 179.95 0 BYRADIUS 100 km ASC WITHDIST -> [["east", "5.5614"], ["west", "16.6840"]]
        GEOSEARCH k FROMLONLAT 100 84 BYRADIUS 1 km -> ["north"]
        GEOSEARCH k FROMLONLAT 0 0 BYRADIUS 30000 km ASC -> ["behind", "north", "east", "west"]
    "#

    geosearchstore_and_georadius_store r#"
        GEOADD k 13.361389 38.115556 Palermo 15.087269 37.502669 Catania -> 2
        GEOSEARCHSTORE d k FROMLONLAT 15 37 BYRADIUS 200 km -> 2
        ZRANGE d 0 -1 WITHSCORES -> ["Palermo", "3479099956230698", "Catania", "3479447370796909"]
        GEOSEARCHSTORE d k FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1 -> 1
        ZRANGE d 0 -1 -> ["Catania"]
        GEOSEARCHSTORE d k FROMMEMBER Palermo BYBOX 1 1 m STOREDIST -> 1
        ZRANGE d 0 -1 WITHSCORES -> ["Palermo", "0"]
        GEORADIUS k 15 37 200 km STORE d -> 2
        GEOPOS d Palermo -> [["13.36138933897018433", "38.11555639549629859"]]
        GEORADIUS k 15 37 200 km STOREDIST d -> 2
        ZRANGEBYSCORE d 56.4412 56.4413 -> ["Catania"]
        GEORADIUS k 15 37 200 km STORE other STOREDIST d -> 2
        EXISTS other -> 0
        GEORADIUSBYMEMBER k Palermo 1 km STORE k -> 1
        ZRANGE k 0 -1 -> ["Palermo"]
        EXPIRE d 1000 -> 1
        GEORADIUS k 15 37 200 km STORE d -> 1
        TTL d -> -1
        GEORADIUS k 100 37 200 km STORE d -> 0
        EXISTS d -> 0
        SET d v -> +OK
        GEOSEARCHSTORE d missing FROMMEMBER Palermo BYBOX 1 1 m -> 0
        EXISTS d -> 0
        COMMAND GETKEYS GEORADIUS k 1 1 2 km STORE d -> ["k", "d"]
        COMMAND GETKEYS GEOSEARCHSTORE d k FROMMEMBER Palermo BYBOX 1 1 m -> ["d", "k"]
    "#

    geosearch_errors r#"
        GEOADD k 13.361389 38.115556 Palermo -> 1
        GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200 km ANY -> -ERR the ANY argument requires COUNT argument
        GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200 km COUNT 0 -> -ERR COUNT must be > 0
        GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200 km COUNT x -> -ERR value is not an integer or out of range
        GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200 km COUNT -> -ERR syntax error
        GEOSEARCH k FROMLONLAT 15 97 BYRADIUS 200 km -> -"ERR invalid longitude,latitude pair 15.000000,97.000000"
        GEOSEARCH k FROMLONLAT 15 37 BYRADIUS x km -> -ERR need numeric radius
        GEOSEARCH k FROMLONLAT 15 37 BYRADIUS -1 km -> -ERR radius cannot be negative
        GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 1 xx -> -"ERR unsupported unit provided. please use M, KM, FT, MI"
        GEOSEARCH k FROMLONLAT 15 37 BYBOX x 1 km -> -ERR need numeric width
        GEOSEARCH k FROMLONLAT 15 37 BYBOX 1 x km -> -ERR need numeric height
        GEOSEARCH k FROMLONLAT 15 37 BYBOX -1 1 km -> -ERR height or width cannot be negative
        GEOSEARCH k FROMLONLAT 15 37 BYBOX 400 400 km BYRADIUS 3 km -> -ERR syntax error
        GEOSEARCH k FROMLONLAT 15 37 FROMMEMBER Palermo BYBOX 400 400 km -> -ERR syntax error
        GEOSEARCH k FROMMEMBER nope BYBOX 400 400 km -> -ERR could not decode requested zset member
        geosearch k ASC DESC ASC DESC ASC -> -ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch
        GeoSearch missing FROMMEMBER Palermo ASC ASC ASC -> -ERR exactly one of BYRADIUS and BYBOX can be specified for GeoSearch
        GEOSEARCH k FROMMEMBER Palermo BYBOX 1 1 m STOREDIST -> -ERR syntax error
        GEOSEARCHSTORE d k FROMMEMBER Palermo BYBOX 1 1 m WITHDIST -> -"ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
        GEORADIUS k 15 37 200 km STORE d WITHCOORD -> -"ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
        GEORADIUS k 15 37 200 km STORE -> -ERR syntax error
        GEORADIUS_RO k 15 37 200 km STORE d -> -ERR syntax error
        GEORADIUSBYMEMBER k nope 200 km -> -ERR could not decode requested zset member
        GEORADIUS missing 1 1 x y -> -ERR need numeric radius
        SET s v -> +OK
        GEORADIUS s x y 1 x -> -WRONGTYPE Operation against a key holding the wrong kind of value
        GEOSEARCH s x y 1 x 1 1 -> -WRONGTYPE Operation against a key holding the wrong kind of value
    "#

    geo_replies_in_resp3 [hot memory] r#"
        HELLO 3
        GEOADD k 13.361389 38.115556 Palermo 180 0 east -> 2
        GEOPOS k Palermo nope -> [[double 13.36138933897018433, double 38.11555639549629859], (nil)]
        GEODIST k Palermo Palermo -> "0.0000"
        GEODIST k Palermo nope -> (nil)
        send GEOPOS k east
        bytes "*1\r\n*2\r\n,180\r\n,0.00000126736058093\r\n"
    "#
}
