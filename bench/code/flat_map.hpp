/* A plain open-addressing map for the references: pairs in the table itself, linear probing, at most half of it taken, gaps closed on
 * removal. It keeps no order, which ours must. */
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

inline uint64_t hash_of(int64_t key)
{
    unsigned __int128 product = (unsigned __int128)(uint64_t)key * 0x9e3779b97f4a7c15u;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

inline uint64_t hash_of(const std::string &key)
{
    return std::hash<std::string>{}(key);
}

template <class K, class V> class flat_map {
    struct slot {
        K key;
        V value;
        uint32_t tag = 0; /* 0: free */
    };
    std::vector<slot> slots{16};
    std::size_t count = 0;

    static uint32_t tag_of(uint64_t hash) { return (uint32_t)hash | 1; }
    std::size_t mask() const { return slots.size() - 1; }
    std::size_t first(uint32_t tag) const { return (tag * 0x9e3779b9u >> 4) & mask(); }

    std::size_t place(const K &key, uint32_t tag) const
    {
        std::size_t at = first(tag);
        while (slots[at].tag != 0 && (slots[at].tag != tag || !(slots[at].key == key)))
            at = (at + 1) & mask();
        return at;
    }

    void grow()
    {
        std::vector<slot> old(slots.size() * 2);
        old.swap(slots);
        for (slot &moved : old)
            if (moved.tag != 0)
                slots[place(moved.key, moved.tag)] = std::move(moved);
    }

public:
    std::size_t size() const { return count; }

    V &operator[](const K &key)
    {
        uint32_t tag = tag_of(hash_of(key));
        std::size_t at = place(key, tag);
        if (slots[at].tag == 0) {
            if (2 * (count + 1) > slots.size()) {
                grow();
                at = place(key, tag);
            }
            slots[at] = slot{key, V(), tag};
            count++;
        }
        return slots[at].value;
    }

    V lookup(const K &key, V otherwise) const
    {
        std::size_t at = place(key, tag_of(hash_of(key)));
        return slots[at].tag == 0 ? otherwise : slots[at].value;
    }

    bool remove(const K &key)
    {
        std::size_t gap = place(key, tag_of(hash_of(key)));
        if (slots[gap].tag == 0)
            return false;
        for (std::size_t at = (gap + 1) & mask(); slots[at].tag != 0; at = (at + 1) & mask()) {
            if (((at - first(slots[at].tag)) & mask()) >= ((at - gap) & mask())) {
                slots[gap] = std::move(slots[at]);
                gap = at;
            }
        }
        slots[gap] = slot{};
        count--;
        return true;
    }

    template <class F> void each(F visit) const
    {
        for (const slot &there : slots)
            if (there.tag != 0)
                visit(there.key, there.value);
    }
};
