/*
 * The extended ARP ioctls of Solaris' arp(7P) for programs on Linux, which has none
 * of this: struct xarpreq, struct sockaddr_dl, their numbers and flags.
 *
 * Linux' own SIOCSARP, SIOCGARP and SIOCDARP with struct arpreq are in <sys/ioctl.h>
 * and <net/if_arp.h>. Those two, or <linux/if_arp.h>, may come before or after this
 * file. Where a program for Solaris includes <net/if_dl.h>, <net/if_types.h> or
 * <sys/sockio.h>, it includes this file instead.
 *
 * libisat-ioctl(8) has the ioctls done. Everything is in native byte order, and the
 * same on all machines. C11 or C++11.
 */
#ifndef ISAT_ARP_H
#define ISAT_ARP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * The numbers (Solaris' sys/sockio.h: 166, 167 and 168 of group 'i', with the size
 * 512 cut to the eight bits that it has there).
 */
#define SIOCSXARP 0x800069a6U /* set an entry */
#define SIOCGXARP 0xc00069a7U /* get an entry */
#define SIOCDXARP 0x800069a8U /* delete an entry */

/*
 * xarp_flags (Solaris' net/if_arp.h). Those from 0x02 to 0x10 are Linux', too, and
 * spelled as there: a second definition that is the same is none.
 */
#define ATF_INUSE 0x01 /* GET: always */
#define ATF_COM 0x02 /* GET: the link-layer address is known */
#define ATF_PERM 0x04 /* the entry never ages */
#define ATF_PUBL 0x08 /* requests for the address are answered */
#define ATF_USETRAILERS 0x10 /* without effect */
/*
 * For xarp_flags only. In arp_flags of Linux' struct arpreq, 0x20 is ATF_NETMASK and
 * 0x40 is ATF_DONTPUB, which Solaris does not have.
 */
#define ATF_AUTHORITY 0x20 /* the address is ours: nothing on the wire changes it */

/* sdl_family (Solaris' sys/socket.h). */
#ifndef AF_LINK
#define AF_LINK 25
#endif

/* sdl_type: those of the media that isat knows (Solaris' net/if_types.h). */
#define IFT_OTHER 0x01
#define IFT_ETHER 0x06
#define IFT_ISO88025 0x09 /* Token Ring */
#define IFT_ARCNET 0x23

/* One more than the longest name of an interface (Solaris' net/if.h). */
#define LIFNAMSIZ 32

/* sockaddr_in and others are looked at through pointers to these. */
#ifdef __GNUC__
#define ISAT_MAY_ALIAS __attribute__((__may_alias__))
#else
#define ISAT_MAY_ALIAS
#endif

/*
 * A name and a link-layer address, one behind the other (Solaris' net/if_dl.h).
 */
struct sockaddr_dl {
	uint16_t sdl_family;  /* AF_LINK; 0 is taken as well */
	uint16_t sdl_index;   /* of the interface; GET: 0 if it does not fit */
	uint8_t sdl_type;     /* IFT_; GET only */
	uint8_t sdl_nlen;     /* bytes of the name, which has no NUL; 0: none */
	uint8_t sdl_alen;     /* bytes of the address */
	uint8_t sdl_slen;     /* 0 */
	char sdl_data[244];   /* the name, then the address */
} ISAT_MAY_ALIAS;

/* Where the address of a struct sockaddr_dl begins. */
#define LLADDR(sdl) ((sdl)->sdl_data + (sdl)->sdl_nlen)

/*
 * Solaris' struct sockaddr_storage, which is twice as long as Linux'.
 */
struct isat_sockaddr_storage {
	uint16_t ss_family;
	char ss_padding[254];
} ISAT_MAY_ALIAS;

/*
 * The argument of the three ioctls (Solaris' net/if_arp.h).
 */
struct xarpreq {
	/* AF_INET and the IPv4 address: in truth a struct sockaddr_in. */
	struct isat_sockaddr_storage xarp_pa
#ifdef __GNUC__
		__attribute__((__aligned__(8))) /* sockaddr_in has to be aligned */
#endif
		;
	struct sockaddr_dl xarp_ha;
	int xarp_flags; /* ATF_ */
};

#ifdef __cplusplus
#define ISAT_ASSERT(what) static_assert(what, #what)
#else
#define ISAT_ASSERT(what) _Static_assert(what, #what)
#endif
ISAT_ASSERT(sizeof(struct sockaddr_dl) == 252);
ISAT_ASSERT(offsetof(struct sockaddr_dl, sdl_index) == 2);
ISAT_ASSERT(offsetof(struct sockaddr_dl, sdl_type) == 4);
ISAT_ASSERT(offsetof(struct sockaddr_dl, sdl_nlen) == 5);
ISAT_ASSERT(offsetof(struct sockaddr_dl, sdl_alen) == 6);
ISAT_ASSERT(offsetof(struct sockaddr_dl, sdl_slen) == 7);
ISAT_ASSERT(offsetof(struct sockaddr_dl, sdl_data) == 8);
ISAT_ASSERT(sizeof(struct isat_sockaddr_storage) == 256);
ISAT_ASSERT(sizeof(struct xarpreq) == 512);
ISAT_ASSERT(offsetof(struct xarpreq, xarp_ha) == 256);
ISAT_ASSERT(offsetof(struct xarpreq, xarp_flags) == 508);
ISAT_ASSERT(sizeof(int) == 4);
#undef ISAT_ASSERT

#endif
